/* The patient's record as typed at the bedside; kept in /opt/data so that a power cut does not lose it. */
#ifndef PATIENT_H
#define PATIENT_H
#include <stdint.h>

struct patient {
  int admitted;
  char department[32];
  uint8_t bed;
  char patient_name[32];
  char patient_number[32];
  char admission_date[9];
  uint16_t height;
  uint16_t weight;
  char birth_date[9];
  char blood_type[4];
  char doctor[32];
};

void patient_load(struct patient *out);
void patient_admit(struct patient *out);
void patient_discharge(struct patient *out);

#endif
