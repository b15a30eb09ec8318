/* words.h - a command line into words, by the quoting rules of the shell.
 *
 * POSIX.1-2017, XCU 2.2: '…' keeps everything, "…" keeps everything but a
 * backslash in front of $ ` " \ and newline, a backslash outside of quotes
 * keeps the next character, and with a newline after it is no more than a
 * longer line. Blanks and newlines separate words. Nothing is expanded and no
 * other character is special: * $ ; > reach the program as they stand.
 *
 * No system calls, no state: any thread may call.
 */
#ifndef UNIXIPC_P01_PIPELINE_WORDS_H
#define UNIXIPC_P01_PIPELINE_WORDS_H

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Split text. *words ends in NULL and is one block: free(*words) frees all of
 * it. Returns how many there are (0 for blank text), -EINVAL when a quote is
 * not closed, -ENOMEM. */
ssize_t words_split(const char *text, char ***words);

/* Cut text at each '|' outside of quotes; the pieces keep their quotes. As
 * words_split(), but there is always at least one piece, maybe empty. */
ssize_t words_cut(const char *text, char ***pieces);

#ifdef __cplusplus
}
#endif

#endif
