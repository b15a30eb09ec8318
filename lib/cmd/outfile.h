/* outfile.h - a file of results that is whole, or is not there.
 *
 * A regular file is written without a name and put into its place when it is
 * whole, so that neither a crash nor a full disk leaves half of one, and an
 * earlier one stays until then, and its owner and permissions with the new one.
 * (A whole one can be left beside its place, as outfile-PID-N.new, by a kill -9
 * between two system calls; half of one only where the file system knows no files
 * without a name, or there is no /proc.)
 * Symbolic links stay, and the same holds for the file that they lead to; but
 * those that others left in a folder like /tmp are -EACCES. What is no regular file (/dev/stdout, a FIFO), what lies in a folder
 * that we may not write to, and what has an owner or a group that we cannot give
 * a new file, is written to as it is.
 */
#ifndef UNIXIPC_LIB_CMD_OUTFILE_H
#define UNIXIPC_LIB_CMD_OUTFILE_H

#include <stddef.h>

/* Whether it could be written now: asked before minutes of measuring. Creates
 * nothing. Returns 0 or -errno. */
int outfile_check(const char *path);

/* Write it. Returns 0 or -errno with no new file. */
int outfile_write(const char *path, const char *text, size_t len);

#endif
