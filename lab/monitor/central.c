/* When what is sent: the patient's record and the bed on connecting, waves and numbers every tick, HL7 once a minute. */
#include "central.h"

static int send_frame(const uint8_t *frame, size_t length) {
  if (central_send(frame, length) == 0) return 0;
  central_hang_up();
  return -1;
}

static int greet(const struct patient *patient) {
  uint8_t frame[CENTRAL_FRAME_LIMIT];
  if (central_connect() != 0) return -1;
  if (send_frame(frame, frame_patient(frame, patient)) != 0) return -1;
  if (send_frame(frame, frame_bed(frame, patient)) != 0) return -1;
  return send_frame(frame, frame_message(frame, 1, "monitor on"));
}

static void send_vitals(const struct vital_signs *now, unsigned tick) {
  uint8_t frame[CENTRAL_FRAME_LIMIT];
  if (send_frame(frame, frame_ecg(frame, now)) != 0) return;
  if (send_frame(frame, frame_pleth(frame, now)) != 0) return;
  if (tick % 10 == 0 && send_frame(frame, frame_nibp(frame, now)) != 0) return;
  if (tick % 10 == 0 && send_frame(frame, frame_temperature(frame, now)) != 0) return;
  send_frame(frame, frame_sync(frame, tick));
}

void central_tick(const struct patient *patient, const struct vital_signs *now, unsigned tick) {
  char message[1024];
  size_t length;
  if (!patient->admitted || !leads_on()) {
    if (central_connected()) central_hang_up();
    return;
  }
  if (!central_connected() && (tick % 10 != 0 || greet(patient) != 0)) return;
  send_vitals(now, tick);
  if (tick % 60 != 0) return;
  length = hl7_message(message, sizeof message, patient, now, tick);
  if (length > 0) hl7_send((const uint8_t *)message, length);
}
