/* `monitor`: the main program of the bedside monitor. Shows vital signs, takes a patient's record, has a menu. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "central.h"
#include "patient.h"
#include "screen.h"
#include "settings.h"
#include "update_path.h"
#include "vitals.h"

#ifndef MONITOR_VERSION
#define MONITOR_VERSION ""
#endif

static void show_about(void) {
  screen_line("Bedside patient monitor");
  if (MONITOR_VERSION[0] != '\0') screen_line("Version %s", MONITOR_VERSION);
}

static void show_vitals(const struct vital_signs *now) {
  screen_line("HR %u RESP %u SpO2 %u%% NIBP %u/%u (%u) T1 %u.%u T2 %u.%u", now->heart_rate, now->respiration_rate,
              now->spo2, now->nibp_systolic, now->nibp_diastolic, now->nibp_mean, now->temperature_1 / 10,
              now->temperature_1 % 10, now->temperature_2 / 10, now->temperature_2 % 10);
}

static void switch_network(void) {
  char state[8];
  setting_read("/opt/etc/network.conf", "ETH0", state, sizeof state);
  if (strcmp(state, "on") == 0) {
    setting_write("/opt/etc/network.conf", "ETH0", "off");
    system("ifconfig eth0 down");
    screen_line("Network off");
  } else {
    setting_write("/opt/etc/network.conf", "ETH0", "on");
    system("ifconfig eth0 up");
    screen_line("Network on");
  }
}

/* Returns 1 when the program must start again. */
static int menu(struct patient *patient) {
  screen_line("MENU  A admit  D discharge  N network  S server  U update  V about  other: back");
  switch (keypad_key(10000)) {
    case 'A':
      patient_admit(patient);
      break;
    case 'D':
      patient_discharge(patient);
      break;
    case 'N':
      switch_network();
      break;
    case 'S':
      update_settings();
      break;
    case 'U':
      return update_run() == 0;
    case 'V':
      show_about();
      break;
    default:
      break;
  }
  return 0;
}

int main(void) {
  struct patient patient;
  struct vital_signs now;
  unsigned tick = 0;
  show_about();
  patient_load(&patient);
  for (;;) {
    vitals_read(&now, tick++);
    if (tick % 5 == 1) show_vitals(&now);
    central_tick(&patient, &now, tick);
    if (keypad_key(1000) == 'M' && menu(&patient)) return EXIT_SUCCESS;
  }
}
