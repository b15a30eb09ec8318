/* flush.h - a transaction's pages, from memory into the file. */
#ifndef UNIXIPC_P14_MMAPDB_FLUSH_H
#define UNIXIPC_P14_MMAPDB_FLUSH_H

#include "p14-mmapdb/handle.h"

struct flush {
	uint64_t pages;      /* that were written */
	unsigned int listed; /* more than LAYOUT_LISTED: not all of them are */
	struct layout_listed list[LAYOUT_LISTED];
};

/* Give each page its number, tell the pages above, and write them all: to pages
 * that are free, so that nobody sees any of it. db->version.root becomes the
 * root's number. Short of a sync. */
int flush_pages(struct mmapdb *db, struct flush *flush);

#endif
