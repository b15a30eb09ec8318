/* tape.h - the log as the recorder writes it (log.h): one call after the other,
 * and files by number.
 *
 * What cannot be logged ends the process, with status 125. Everything but
 * tape_open() and tape_lock() wants the lock.
 */
#ifndef UNIXIPC_TESTS_CRASH_TAPE_H
#define UNIXIPC_TESTS_CRASH_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "tests/crash/log.h"

/* NULL: we record nothing. */
extern struct log_head *tape_head;

/* Map the log at path, made if it is not there, for the folder at dir; true when
 * it is new. After kill_at records whoever has made the last one is killed (0:
 * nobody). Hold no lock. */
bool tape_open(const char *path, const char *dir, uint64_t kill_at);

/* Also finishes the record of a process that was killed with the lock in hand,
 * by what it has done. errno stays as it is. */
void tape_lock(void);
void tape_unlock(void);

/* A new record; then make the call, and then tape_end(). */
struct log_record *tape_begin(enum log_kind kind, uint32_t file,
			      size_t payload_bytes);
char *tape_payload(struct log_record *record);
void tape_end(struct log_record *record, bool happened);

/* From here on we do not know what is in the folder. */
void tape_lose(const char *why);

_Noreturn void tape_give_up(const char *why);

/* ---- files by number --------------------------------------------------------- */

/* Where a name is: its folder's number, and its last part. */
struct tape_place {
	uint32_t dir; /* 0: in no folder of ours */
	char name[LOG_NAME];
};

/* Fill in place. */
void tape_look_up(int dir, const char *path, struct tape_place *place);

uint32_t tape_add(uint64_t inode, const struct tape_place *place);

/* NULL when it is not in our folder; the number 0 then. */
struct log_file *tape_find(uint64_t inode);
struct log_file *tape_find_number(uint32_t number);
uint32_t tape_number_of(int fd);

/* It is on our folder's file system. */
bool tape_stat(int fd, struct stat *st);

/* It has that name now, or none. */
void tape_note_place(struct log_file *entry, const struct tape_place *place);
void tape_forget_place(uint32_t file);

#endif
