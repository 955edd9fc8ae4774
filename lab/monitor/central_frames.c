/* Patient and vital signs into the central station's frames: u16le length of what follows, 0x05, u8 type, payload
 * (field offsets from the public protocol decoder). */
#include <string.h>

#include "central.h"

enum {
  TYPE_PATIENT = 0x3E,
  TYPE_BED = 0x45,
  TYPE_TELEMETRY = 0x46,
  TYPE_SYNC = 0x47,
  TYPE_MESSAGE = 0x49,
  TELEMETRY_ECG = 0x14,
  TELEMETRY_PLETH = 0x15,
  TELEMETRY_NIBP = 0x16,
  TELEMETRY_TEMPERATURE = 0x17,
  HEADER = 4
};

static void put_u16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
}

static void put_text(uint8_t *at, const char *text, size_t room) { strncpy((char *)at, text, room); }

/* Clears the payload, writes the header and returns where the payload begins. */
static uint8_t *begin(uint8_t *out, uint8_t type, size_t payload) {
  memset(out, 0, HEADER + payload);
  put_u16(out, (uint16_t)(payload + 2));
  out[2] = 0x05;
  out[3] = type;
  return out + HEADER;
}

size_t frame_patient(uint8_t *out, const struct patient *patient) {
  enum { PAYLOAD = 0xB0 };
  uint8_t *payload = begin(out, TYPE_PATIENT, PAYLOAD);
  put_text(payload + 0x00, patient->department, 0x20);
  payload[0x22] = patient->bed;
  put_text(payload + 0x23, patient->patient_name, 0x20);
  put_text(payload + 0x43, patient->patient_number, 0x20);
  put_text(payload + 0x63, patient->admission_date, 8);
  put_u16(payload + 0x74, patient->height);
  put_u16(payload + 0x76, patient->weight);
  put_text(payload + 0x7C, patient->birth_date, 8);
  put_text(payload + 0x8C, patient->blood_type, 1);
  put_text(payload + 0x8D, patient->doctor, 0x20);
  return HEADER + PAYLOAD;
}

size_t frame_bed(uint8_t *out, const struct patient *patient) {
  uint8_t *payload = begin(out, TYPE_BED, 4);
  payload[2] = patient->bed;
  return HEADER + 4;
}

size_t frame_ecg(uint8_t *out, const struct vital_signs *now) {
  enum { WAVES = 4, PAYLOAD = 4 + WAVES * ECG_SAMPLES + 12 };
  uint8_t *payload = begin(out, TYPE_TELEMETRY, PAYLOAD);
  uint8_t *numbers = payload + 4 + WAVES * ECG_SAMPLES;
  payload[2] = TELEMETRY_ECG;
  memcpy(payload + 4, now->ecg_i, ECG_SAMPLES);
  memcpy(payload + 4 + ECG_SAMPLES, now->ecg_ii, ECG_SAMPLES);
  memcpy(payload + 4 + 2 * ECG_SAMPLES, now->ecg_v, ECG_SAMPLES);
  memcpy(payload + 4 + 3 * ECG_SAMPLES, now->respiration_wave, ECG_SAMPLES);
  put_u16(numbers, now->heart_rate);
  put_u16(numbers + 2, 50); /* alarm limits */
  put_u16(numbers + 4, 120);
  put_u16(numbers + 6, now->respiration_rate);
  put_u16(numbers + 8, 8);
  put_u16(numbers + 10, 30);
  return HEADER + PAYLOAD;
}

size_t frame_pleth(uint8_t *out, const struct vital_signs *now) {
  enum { PAYLOAD = 4 + ECG_SAMPLES + 4 };
  uint8_t *payload = begin(out, TYPE_TELEMETRY, PAYLOAD);
  payload[2] = TELEMETRY_PLETH;
  memcpy(payload + 4, now->pleth_wave, ECG_SAMPLES);
  payload[4 + ECG_SAMPLES] = now->spo2;
  payload[5 + ECG_SAMPLES] = 90;
  payload[6 + ECG_SAMPLES] = 100;
  return HEADER + PAYLOAD;
}

size_t frame_nibp(uint8_t *out, const struct vital_signs *now) {
  uint8_t *payload = begin(out, TYPE_TELEMETRY, 16);
  payload[2] = TELEMETRY_NIBP;
  put_u16(payload + 4, now->nibp_systolic);
  put_u16(payload + 6, now->nibp_diastolic);
  put_u16(payload + 8, now->nibp_mean);
  put_u16(payload + 10, 90);
  put_u16(payload + 12, 160);
  return HEADER + 16;
}

size_t frame_temperature(uint8_t *out, const struct vital_signs *now) {
  uint8_t *payload = begin(out, TYPE_TELEMETRY, 12);
  payload[2] = TELEMETRY_TEMPERATURE;
  put_u16(payload + 4, now->temperature_1);
  put_u16(payload + 6, now->temperature_2);
  put_u16(payload + 8, 360);
  put_u16(payload + 10, 390);
  return HEADER + 12;
}

size_t frame_sync(uint8_t *out, unsigned tick) {
  uint8_t *payload = begin(out, TYPE_SYNC, 4);
  put_u16(payload + 2, (uint16_t)tick);
  return HEADER + 4;
}

size_t frame_message(uint8_t *out, uint8_t code, const char *message) {
  size_t length = strlen(message) + 1;
  uint8_t *payload = begin(out, TYPE_MESSAGE, 4 + length);
  payload[2] = code;
  memcpy(payload + 4, message, length);
  return HEADER + 4 + length;
}
