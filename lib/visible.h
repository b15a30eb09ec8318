/* visible.h - other people's text, for a terminal or a log.
 *
 * What they wrote is UTF-8, or is meant to be. Control characters (C0, DEL, and
 * C1, which begin the commands of a terminal, too) become '?', as does each byte
 * that belongs to no character (RFC 3629), so that what is shown is UTF-8 and
 * stays in its line. Nothing else changes, whatever the locale. Pure functions.
 */
#ifndef UNIXIPC_LIB_VISIBLE_H
#define UNIXIPC_LIB_VISIBLE_H

#include <stddef.h>

/* In place; what is there may be longer than one line, or hold NULs. */
void visible_make(char *text, size_t n);

#endif
