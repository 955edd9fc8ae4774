/* What the bedside sends to a central station while a patient is connected.
 *
 * central_frames.c makes the frames, central_hl7.c the HL7 message; who receives them and how they travel is the
 * transport's: central_plain.c (as published: fixed peers, clear text) or central_tls.c (the owner's peer, TLS with the
 * certificate checked, only after the owner agreed). */
#ifndef CENTRAL_H
#define CENTRAL_H
#include <stddef.h>
#include <stdint.h>

#include "patient.h"
#include "vitals.h"

/* Called about once a second by the main loop; connects when a patient is on, sends, hangs up when not. */
void central_tick(const struct patient *patient, const struct vital_signs *now, unsigned tick);

/* Transport. Both return 0 when everything was handed over. */
int central_connected(void);
int central_connect(void);
int central_send(const uint8_t *bytes, size_t length);
void central_hang_up(void);
/* One message to the hospital's HL7 receiver, a connection of its own. */
int hl7_send(const uint8_t *bytes, size_t length);

/* Frames: each writes one whole frame into `out` and returns its length. */
enum { CENTRAL_FRAME_LIMIT = 2048 };
size_t frame_patient(uint8_t *out, const struct patient *patient);
size_t frame_bed(uint8_t *out, const struct patient *patient);
size_t frame_ecg(uint8_t *out, const struct vital_signs *now);
size_t frame_pleth(uint8_t *out, const struct vital_signs *now);
size_t frame_nibp(uint8_t *out, const struct vital_signs *now);
size_t frame_temperature(uint8_t *out, const struct vital_signs *now);
size_t frame_sync(uint8_t *out, unsigned tick);
size_t frame_message(uint8_t *out, uint8_t code, const char *message);
/* An ORU^R01 message in its MLLP envelope; `size` bytes at most. */
size_t hl7_message(char *out, size_t size, const struct patient *patient, const struct vital_signs *now, unsigned tick);

#endif
