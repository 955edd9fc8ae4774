#include "patient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"

static const char record[] = "/opt/data/patient.dat";

void patient_load(struct patient *out) {
  FILE *in = fopen(record, "rb");
  memset(out, 0, sizeof *out);
  if (in == NULL) return;
  if (fread(out, sizeof *out, 1, in) != 1) memset(out, 0, sizeof *out);
  fclose(in);
}

static void patient_save(const struct patient *patient) {
  FILE *out = fopen(record, "wb");
  if (out == NULL) return;
  fwrite(patient, sizeof *patient, 1, out);
  fclose(out);
}

static uint16_t ask_number(const char *prompt) {
  char text[8];
  keypad_line(prompt, text, sizeof text);
  return (uint16_t)strtoul(text, NULL, 10);
}

void patient_admit(struct patient *out) {
  memset(out, 0, sizeof *out);
  keypad_line("Department:", out->department, sizeof out->department);
  out->bed = (uint8_t)ask_number("Bed:");
  keypad_line("Patient name:", out->patient_name, sizeof out->patient_name);
  keypad_line("Patient number:", out->patient_number, sizeof out->patient_number);
  keypad_line("Admission date:", out->admission_date, sizeof out->admission_date);
  out->height = ask_number("Height (cm):");
  out->weight = ask_number("Weight (kg):");
  keypad_line("Birth date:", out->birth_date, sizeof out->birth_date);
  keypad_line("Blood type:", out->blood_type, sizeof out->blood_type);
  keypad_line("Doctor:", out->doctor, sizeof out->doctor);
  out->admitted = 1;
  patient_save(out);
}

void patient_discharge(struct patient *out) {
  memset(out, 0, sizeof *out);
  unlink(record);
}
