/* text.h - keys and values as people write them: any byte as \xNN, a backslash
 * as \\. */
#ifndef UNIXIPC_P09_RECLOCK_CMD_TEXT_H
#define UNIXIPC_P09_RECLOCK_CMD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Control characters and backslashes so, and blanks too if asked for. */
void text_print(FILE *to, const void *bytes, size_t len, bool with_blanks);

/* In place; the length, or -EINVAL. */
ssize_t text_parse(char *text, size_t len);

#endif
