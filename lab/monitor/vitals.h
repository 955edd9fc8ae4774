/* Vital signs, made up: a bench signal generator stands where the sensor boards would be. */
#ifndef VITALS_H
#define VITALS_H
#include <stdint.h>

enum { ECG_SAMPLES = 256 };

struct vital_signs {
  uint16_t heart_rate;
  uint16_t respiration_rate;
  uint8_t spo2;
  uint16_t nibp_systolic;
  uint16_t nibp_diastolic;
  uint16_t nibp_mean;
  uint16_t temperature_1; /* tenths of a degree */
  uint16_t temperature_2;
  uint8_t ecg_i[ECG_SAMPLES];
  uint8_t ecg_ii[ECG_SAMPLES];
  uint8_t ecg_v[ECG_SAMPLES];
  uint8_t respiration_wave[ECG_SAMPLES];
  uint8_t pleth_wave[ECG_SAMPLES];
};

/* True when electrodes are on. */
int leads_on(void);
void vitals_read(struct vital_signs *out, unsigned tick);

#endif
