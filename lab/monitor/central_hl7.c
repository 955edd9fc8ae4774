/* Patient and vital signs into an HL7 v2.3 ORU^R01 message in its MLLP envelope (0x0b ... 0x1c 0x0d). */
#include <stdio.h>

#include "central.h"

size_t hl7_message(char *out, size_t size, const struct patient *patient, const struct vital_signs *now,
                   unsigned tick) {
  int length = snprintf(out, size,
                        "\x0b"
                        "MSH|^~\\&|BEDSIDE|%s|CENTRAL||||ORU^R01|%u|P|2.3\r"
                        "PID|||%s||%s||%s\r"
                        "PV1||I|%s^^%u|||||%s\r"
                        "OBR|1|||VITALS\r"
                        "OBX|1|NM|HR||%u|bpm\r"
                        "OBX|2|NM|SPO2||%u|%%\r"
                        "OBX|3|NM|NIBPSYS||%u|mmHg\r"
                        "\x1c\r",
                        patient->department, tick, patient->patient_number, patient->patient_name,
                        patient->birth_date, patient->department, patient->bed, patient->doctor, now->heart_rate,
                        now->spo2, now->nibp_systolic);
  return length < 0 || (size_t)length >= size ? 0 : (size_t)length;
}
