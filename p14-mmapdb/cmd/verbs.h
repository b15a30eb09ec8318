/* verbs.h - the verbs of mmapdb: each parses its own command line, of which
 * argv[0] is the verb, and returns the exit status. */
#ifndef UNIXIPC_P14_MMAPDB_CMD_VERBS_H
#define UNIXIPC_P14_MMAPDB_CMD_VERBS_H

/* one_record.c */
int verb_insert(int argc, char **argv);
int verb_get(int argc, char **argv);
int verb_del(int argc, char **argv);
int verb_exists(int argc, char **argv);

/* many_records.c */
int verb_count(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_export(int argc, char **argv);

/* transaction.c */
int verb_import(int argc, char **argv);
int verb_batch(int argc, char **argv);

/* file.c */
int verb_create(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_compact(int argc, char **argv);
int verb_backup(int argc, char **argv);

/* stat.c */
int verb_stat(int argc, char **argv);

#endif
