#include "suite/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "suite/checkup.h"

static const char doc[] =
	"Check what this machine offers to the suite: limits, file systems, "
	"tools. Changes nothing.\v"
	"Example: ipc_suite doctor\n\n"
	"The exit status is 0 when everything that the suite needs is there, 1 "
	"otherwise; advice does not count.";

static const char *const words[] = {
	[CHECKUP_OK] = "ok",
	[CHECKUP_ADVICE] = "advice",
	[CHECKUP_MISSING] = "missing",
};

/* Where findings go: one of table and array. */
struct record {
	struct out_table *table;
	json_t *array;
	size_t count[3]; /* by level */
	bool is_broken;
};

static void add(const struct checkup_finding *finding, void *arg)
{
	bool is_well = finding->level == CHECKUP_OK;
	struct record *record = arg;

	record->count[finding->level]++;
	if (record->table) {
		out_table_row(record->table);
		out_table_cell(record->table, "%s", words[finding->level]);
		out_table_cell(record->table, "%s", finding->subject);
		out_table_cell(record->table, "%s", finding->value);
		if (!is_well) {
			out_table_note(record->table, "        %s",
				       finding->why);
			out_table_note(record->table, "        fix: %s",
				       finding->fix);
		}
		return;
	}
	if (json_array_append_new(
		    record->array,
		    json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "level",
			      words[finding->level], "subject",
			      finding->subject, "value", finding->value, "why",
			      is_well ? NULL : finding->why, "fix",
			      is_well ? NULL : finding->fix)))
		record->is_broken = true;
}

static void check_all(struct record *record)
{
	checkup_environment(add, record);
	checkup_limits(add, record);
	checkup_tools(add, record);
}

static int doctor_json(struct record *record)
{
	record->array = json_array();
	check_all(record);
	if (record->is_broken)
		return -ENOMEM;
	return out_json(json_pack("{s:s, s:b, s:o}", "schema",
				  "unixipc-doctor/1", "ok",
				  record->count[CHECKUP_MISSING] == 0,
				  "findings", record->array),
			stdout);
}

static int doctor_table(struct record *record)
{
	static const struct out_column columns[] = {
		{"State", OUT_LEFT}, {"What", OUT_LEFT}, {"Found", OUT_LEFT}};
	int error;

	record->table = out_table_new(columns, 3);
	if (!record->table)
		return -ENOMEM;
	check_all(record);
	error = out_table_print(record->table, stdout);
	out_table_free(record->table);
	if (record->count[CHECKUP_MISSING] > 0)
		printf("\n%zu missing, %zu pieces of advice\n",
		       record->count[CHECKUP_MISSING],
		       record->count[CHECKUP_ADVICE]);
	else
		printf("\neverything that the suite needs is there; pieces of "
		       "advice: %zu\n",
		       record->count[CHECKUP_ADVICE]);
	return error;
}

int command_doctor(int argc, char **argv)
{
	struct record record = {.table = NULL};
	bool json = command_parse_json("doctor", doc, argc, argv);
	int error;

	error = json ? doctor_json(&record) : doctor_table(&record);
	if (error && !ferror(stdout)) /* that is said at exit: lib/cmd/out */
		die_errno(error, "cannot print the findings");
	return record.count[CHECKUP_MISSING] > 0 ? DIE_FAILURE : 0;
}
