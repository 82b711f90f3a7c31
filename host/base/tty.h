#ifndef TL_BASE_TTY_H
#define TL_BASE_TTY_H

#include <stddef.h>

/* The controlling terminal: its size, and the things that must be put right again when the program ends, also by a
 * signal: the cursor and how what is typed is taken. */

/* Columns and rows: of the first standard stream that is a terminal, else COLUMNS and LINES, else 80 and 24. */
void tl_tty_size(int *columns, int *rows);
/* Hides or shows the cursor on a descriptor that is a terminal. */
void tl_tty_cursor(int fd, int visible);
/* Turns echo off or back on. -1 where the descriptor is no terminal. */
int tl_tty_echo(int fd, int on);
/* Hands over what is typed byte by byte, Ctrl-C included, or line by line again. -1 where the descriptor is no terminal. */
int tl_tty_raw(int fd, int on);
/* Puts cursor and typing right; safe in a signal handler. Called at exit by itself. */
void tl_tty_restore(void);
/* Another program asks people something on the terminal: 1 from when it starts, 0 when it has ended. */
void tl_tty_lend(int lent);
/* Whether one does: then nothing is drawn. */
int tl_tty_is_lent(void);
/* Writes all of the bytes, waiting where the descriptor is not ready. -1 where it is closed. */
int tl_tty_write(int fd, const char *bytes, size_t length);

#endif
