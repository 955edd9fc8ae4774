/* The audit record: every accepted and refused attempt, in /opt/log/audit.log and through syslog, which forwards to
 * the log host that the owner named (etc/init.d/S20log). */
#ifndef AUDIT_H
#define AUDIT_H

void audit(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
