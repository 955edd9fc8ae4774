/* Settings: files of key=value lines beneath /opt/etc, edited from the menu and kept over an update. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include <stddef.h>

/* Copies the value of `key` in `file` to `out`; 0 when the key is absent or its value is empty. */
size_t setting_read(const char *file, const char *key, char *out, size_t size);
/* Replaces or adds `key`; 0 on success. */
int setting_write(const char *file, const char *key, const char *value);

#endif
