#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

void audit(const char *format, ...) {
  char text[400];
  va_list arguments;
  FILE *log;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  syslog(LOG_AUTH | LOG_NOTICE, "%s", text);
  log = fopen("/opt/log/audit.log", "a");
  if (log == NULL) return;
  fprintf(log, "%ld %s\n", (long)time(NULL), text);
  fflush(log);
  fsync(fileno(log));
  fclose(log);
}
