#include "p14-mmapdb/cmd/database.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cmd/die.h"

/* ---- failures --------------------------------------------------------------- */

/* Made beforehand, as a handler may not format. */
static char bus_error[256];
static size_t bus_error_len;

/* The file has become shorter than what is mapped, or cannot be read. */
static void after_bus_error(int signal)
{
	ssize_t ignored = write(STDERR_FILENO, bus_error, bus_error_len);

	(void)ignored;
	(void)signal;
	_exit(DIE_FAILURE);
}

static void catch_bus_error(const char *path)
{
	struct sigaction action = {.sa_handler = after_bus_error};
	int len = snprintf(bus_error, sizeof(bus_error),
			   "mmapdb: cannot read %.160s: it was cut short while "
			   "it was used, or its disk fails\n",
			   path);

	bus_error_len = (size_t)len < sizeof(bus_error) ? (size_t)len
							: sizeof(bus_error);
	if (sigaction(SIGBUS, &action, NULL))
		die_errno(errno, "cannot catch SIGBUS");
}

static _Noreturn void die_of_waiting(const struct database *database)
{
	pid_t pid = mmapdb_writer(database->db);

	if (pid)
		die_status(DIE_TIMEOUT,
			   "cannot write to %s: process %d writes to it, and "
			   "has not let go in time (see --timeout)",
			   database->path, pid);
	die_status(DIE_TIMEOUT,
		   "cannot write to %s: another process writes to it, and has "
		   "not let go in time (see --timeout)",
		   database->path);
}

void database_die(const struct database *database, int error, const char *what)
{
	const char *words = mmapdb_error(database->db);

	if (error == -ETIMEDOUT)
		die_of_waiting(database);
	if (words && *words)
		die("cannot %s %s: %s", what, database->path, words);
	die_errno(error, "cannot %s %s", what, database->path);
}

static _Noreturn void die_of_opening(const char *path, int error)
{
	switch (error) {
	case -ENOENT:
		die("cannot open %s: there is no such file (mmapdb create "
		    "makes one)",
		    path);
	case -EMEDIUMTYPE:
		die("cannot open %s: it is not a database of mmapdb", path);
	case -EPERM:
		die("cannot open %s: %s-lock is no lock file of a database, or "
		    "is of a user to whom %s is not open",
		    path, path, path);
	case -EPROTONOSUPPORT:
		die("cannot open %s: it is a database of another version of "
		    "mmapdb",
		    path);
	case -EBADMSG:
		die("cannot open %s: it is damaged, or has been cut short",
		    path);
	default:
		die_errno(error, "cannot open %s", path);
	}
}

/* ---- opening, transactions ---------------------------------------------------- */

void database_open(struct database *database, const char *path,
		   unsigned int flags)
{
	int error;

	*database = (struct database){.path = path};
	catch_bus_error(path);
	error = mmapdb_open(path, flags, &database->db);
	if (error)
		die_of_opening(path, error);
}

void database_begin_read(const struct database *database)
{
	int error = mmapdb_begin_read(database->db);

	if (error)
		database_die(database, error, "read");
}

void database_begin_write(const struct database *database,
			  const struct writing *writing)
{
	int error = mmapdb_begin_write(database->db,
				       tick_after(writing->timeout_ns));

	if (error)
		database_die(database, error, "write to");
}

void database_commit(const struct database *database)
{
	int error = mmapdb_commit(database->db);

	if (error)
		database_die(database, error, "write to");
}

void database_close(struct database *database)
{
	mmapdb_close(database->db);
	database->db = NULL;
}

/* ---- operands ------------------------------------------------------------------- */

void database_need(int operands, int wanted, const char *names)
{
	if (operands < wanted)
		die_usage("give %s (see --help)", names);
}

struct mmapdb_bytes database_key(const char *text)
{
	size_t len = strlen(text);

	if (!len)
		die_usage("the key is empty: accepted are 1 to %d bytes",
			  MMAPDB_KEY_MAX);
	if (len > MMAPDB_KEY_MAX)
		die_usage("the key '%.20s...' has %zu bytes: accepted are 1 to "
			  "%d",
			  text, len, MMAPDB_KEY_MAX);
	return (struct mmapdb_bytes){text, len};
}

void database_check_value(uint64_t len)
{
	if (len > MMAPDB_VALUE_MAX)
		die_usage("the value has more than %d bytes (16 MB), which are "
			  "accepted",
			  MMAPDB_VALUE_MAX);
}

/* ---- parts of the keys ------------------------------------------------------------ */

static struct mmapdb_bytes bytes_of(const char *text)
{
	return (struct mmapdb_bytes){text, text ? strlen(text) : 0};
}

void database_cursor(const struct database *database, const struct range *range,
		     struct mmapdb_cursor *cursor)
{
	const struct mmapdb_range keys = {
		.from = bytes_of(range->from),
		.to = bytes_of(range->to),
		.prefix = bytes_of(range->prefix),
	};
	int error = mmapdb_cursor_open(cursor, database->db, &keys);

	if (error)
		database_die(database, error, "read");
}

bool database_next(const struct database *database,
		   struct mmapdb_cursor *cursor)
{
	int error = mmapdb_cursor_next(cursor);

	if (error && error != -ENOENT)
		database_die(database, error, "read");
	return !error;
}
