#include "vitals.h"

#include <fcntl.h>
#include <unistd.h>

int leads_on(void) {
  char state = '1';
  int board = open("/dev/ecg", O_RDONLY);
  if (board < 0) return 1;
  if (read(board, &state, 1) != 1) state = '0';
  close(board);
  return state == '1';
}

static uint8_t beat(unsigned phase) {
  if (phase < 6) return (uint8_t)(128 + phase * 4);
  if (phase < 10) return 120;
  if (phase < 13) return (uint8_t)(150 + (phase - 10) * 35);
  if (phase < 16) return 96;
  if (phase < 40) return (uint8_t)(128 + (phase - 16) % 12);
  return 128;
}

void vitals_read(struct vital_signs *out, unsigned tick) {
  unsigned i;
  out->heart_rate = (uint16_t)(68 + tick % 7);
  out->respiration_rate = (uint16_t)(14 + tick % 3);
  out->spo2 = (uint8_t)(96 + tick % 3);
  out->nibp_systolic = 118;
  out->nibp_diastolic = 76;
  out->nibp_mean = 90;
  out->temperature_1 = (uint16_t)(366 + tick % 4);
  out->temperature_2 = (uint16_t)(362 + tick % 4);
  for (i = 0; i < ECG_SAMPLES; ++i) {
    unsigned phase = (tick * 31 + i) % 90;
    out->ecg_i[i] = beat(phase);
    out->ecg_ii[i] = (uint8_t)(beat(phase) + 4);
    out->ecg_v[i] = (uint8_t)(255 - beat(phase));
    out->respiration_wave[i] = (uint8_t)(100 + (i + tick) % 50);
    out->pleth_wave[i] = (uint8_t)(90 + (phase < 30 ? phase * 2 : 60));
  }
}
