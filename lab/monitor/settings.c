#include "settings.h"

#include <stdio.h>
#include <string.h>

size_t setting_read(const char *file, const char *key, char *out, size_t size) {
  char line[256];
  size_t wanted = strlen(key);
  FILE *in = fopen(file, "r");
  out[0] = '\0';
  if (in == NULL) return 0;
  while (fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, key, wanted) != 0 || line[wanted] != '=') continue;
    line[strcspn(line, "\r\n")] = '\0';
    snprintf(out, size, "%s", line + wanted + 1);
    break;
  }
  fclose(in);
  return strlen(out);
}

int setting_write(const char *file, const char *key, const char *value) {
  char line[256];
  char next[128];
  size_t wanted = strlen(key);
  FILE *in;
  FILE *out;
  snprintf(next, sizeof next, "%s.new", file);
  out = fopen(next, "w");
  if (out == NULL) return -1;
  in = fopen(file, "r");
  while (in != NULL && fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, key, wanted) != 0 || line[wanted] != '=') fputs(line, out);
  }
  if (in != NULL) fclose(in);
  fprintf(out, "%s=%s\n", key, value);
  if (fclose(out) != 0) return -1;
  return rename(next, file);
}
