/* The menu entry "update". Two implementations: the one that was published (update_share.c) and the one that a
 * well-kept device would have (update_signed.c). Returns 0 when something was installed. */
#ifndef UPDATE_PATH_H
#define UPDATE_PATH_H

int update_run(void);
/* The menu entry "server". */
void update_settings(void);

#endif
