/* expression.h - "add 5 3" as people type it.
 *
 * For commands: words that are not accepted end the program with status 2 and
 * one line that says what is.
 */
#ifndef UNIXIPC_P16_RPC_CALC_CMD_EXPRESSION_H
#define UNIXIPC_P16_RPC_CALC_CMD_EXPRESSION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "p16-rpc-calc/calcclient.h"

/* From n words: an operation and two operands. where is put in front of a
 * complaint: "line 7: ", or "". */
calc_expression expression_of(const char *where, const char *const words[],
			      size_t n);

/* A whole number of 64 bits. */
int64_t expression_number(const char *where, const char *word);

/* The expressions of a file, one a line; blank lines do not count. Up to max;
 * *line is counted on. Returns how many, 0 at the end. */
size_t expression_read(FILE *file, size_t *line, calc_expression *expressions,
		       size_t max);

#endif
