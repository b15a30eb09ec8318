/* Each kind has one function that asks the kernel about an object; files of
 * all objects are then looked for in one walk over the processes. What may be
 * removed is in inventory_keep.c. */
#include "suite/inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/parse.h"
#include "lib/sysv.h"
#include "suite/openfiles.h"

static void note_file(struct openfile *file, const struct stat *st)
{
	file->dev = st->st_dev;
	file->inode = st->st_ino;
}

/* glibc keeps "/name" in /dev/shm/name, a semaphore in /dev/shm/sem.name. */
static int stat_shm(struct inventory_item *item, const char *prefix,
		    struct stat *st)
{
	char path[OBJNAME_MAX + 32];

	snprintf(path, sizeof(path), "/dev/shm/%s%s", prefix,
		 item->entry.name + 1);
	return lstat(path, st);
}

static void look_at_shm(struct inventory_item *item, struct openfile *file)
{
	struct stat st;

	if (stat_shm(item, "", &st))
		return;
	item->bytes = st.st_size;
	note_file(file, &st);
}

static void look_at_sem(struct inventory_item *item, struct openfile *file)
{
	struct stat st;
	sem_t *sem;

	/* sem_open() maps whatever lies there: a file that is too short
	 * would be a SIGBUS for us. */
	if (stat_shm(item, "sem.", &st) || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(sem_t))
		return;
	item->bytes = st.st_size;
	note_file(file, &st);
	sem = sem_open(item->entry.name, 0);
	if (sem == SEM_FAILED)
		return;
	if (sem_getvalue(sem, &item->value[0]) == 0)
		item->values = 1;
	sem_close(sem);
}

static void look_at_mq(struct inventory_item *item, struct openfile *file)
{
	mqd_t queue =
		mq_open(item->entry.name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct mq_attr attr;
	struct stat st;

	if (queue == (mqd_t)-1)
		return;
	if (mq_getattr(queue, &attr) == 0) {
		item->bytes = attr.mq_maxmsg * attr.mq_msgsize;
		item->waiting = attr.mq_curmsgs;
	}
	/* On Linux a queue's descriptor is a file's. */
	if (fstat(queue, &st) == 0)
		note_file(file, &st);
	mq_close(queue);
}

static void look_at_fifo(struct inventory_item *item, struct openfile *file)
{
	struct stat st;

	if (lstat(item->entry.name, &st) == 0)
		note_file(file, &st);
}

static void look_at_socket(struct inventory_item *item, struct openfile *file)
{
	struct stat st;

	if (lstat(item->entry.name, &st))
		return;
	if (identity_judge_socket(item->entry.name) == IDENTITY_DEAD)
		item->users = 0;
	else
		openfiles_socket(item->entry.name, file);
}

static int sysv_id(const struct inventory_item *item)
{
	int64_t id;

	return parse_integer(item->entry.name, &id) ? -1 : (int)id;
}

static void look_at_sysv_shm(struct inventory_item *item, struct openfile *file)
{
	struct shmid_ds ds;

	(void)file;
	if (shmctl(sysv_id(item), IPC_STAT, &ds))
		return;
	item->bytes = (int64_t)ds.shm_segsz;
	item->users = (int64_t)ds.shm_nattch;
}

static void look_at_sysv_sem(struct inventory_item *item, struct openfile *file)
{
	struct semid_ds ds = {.sem_nsems = 0};
	int id = sysv_id(item);

	(void)file;
	if (semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}))
		return;
	item->values = (int)ds.sem_nsems;
	for (int i = 0; i < item->values && i < INVENTORY_VALUES; i++)
		item->value[i] = semctl(id, i, GETVAL);
}

static void look_at_sysv_msg(struct inventory_item *item, struct openfile *file)
{
	struct msqid_ds ds;

	(void)file;
	if (msgctl(sysv_id(item), IPC_STAT, &ds))
		return;
	item->bytes = (int64_t)ds.__msg_cbytes;
	item->waiting = (int64_t)ds.msg_qnum;
}

static void (*const look_at[OBJNAME_KINDS])(struct inventory_item *item,
					    struct openfile *file) = {
	[OBJNAME_SHM] = look_at_shm,
	[OBJNAME_SEM] = look_at_sem,
	[OBJNAME_MQ] = look_at_mq,
	[OBJNAME_FIFO] = look_at_fifo,
	[OBJNAME_SOCKET] = look_at_socket,
	[OBJNAME_SYSV_SHM] = look_at_sysv_shm,
	[OBJNAME_SYSV_SEM] = look_at_sysv_sem,
	[OBJNAME_SYSV_MSG] = look_at_sysv_msg,
};

/* One more, of which nothing is known; NULL when memory is short. */
static struct inventory_item *add(struct inventory *inventory,
				  const struct objname_entry *entry)
{
	struct inventory_item *item;

	item = reallocarray(inventory->item, inventory->n + 1, sizeof(*item));
	if (!item)
		return NULL;
	inventory->item = item;
	item += inventory->n++;
	*item = (struct inventory_item){
		.entry = *entry,
		.bytes = -1,
		.users = -1,
		.waiting = -1,
		.age_s = time(NULL) - entry->created,
	};
	return item;
}

static int append(const struct objname_entry *entry, void *arg)
{
	struct inventory_item *item = add(arg, entry);

	if (!item)
		return -ENOMEM;
	item->match = objname_match(entry);
	item->exists = objname_exists(entry);
	item->owner = objname_judge_owner(entry);
	return 0;
}

/* Foreign ones are in it, too, but no two have one kind and name. */
static bool is_in_ledger(const struct inventory *inventory,
			 const struct inventory_foreign *found)
{
	const struct objname_entry *entry;

	for (size_t i = 0; i < inventory->n; i++) {
		entry = &inventory->item[i].entry;
		if (entry->kind == found->kind &&
		    strcmp(entry->name, found->name) == 0)
			return true;
	}
	return false;
}

static int append_foreign(const struct inventory_foreign *found, void *arg)
{
	struct objname_entry entry = {.kind = found->kind,
				      .created = found->changed};
	struct inventory_item *item;

	if (is_in_ledger(arg, found))
		return 0;
	memcpy(entry.name, found->name, sizeof(entry.name));
	item = add(arg, &entry);
	if (!item)
		return -ENOMEM;
	item->is_foreign = true;
	item->uid = found->uid;
	item->match = IDENTITY_CANNOT_TELL;
	item->exists = true;
	item->owner = OBJNAME_UNKNOWN;
	return 0;
}

/* Who has them open; all objects in one walk. Without /proc that stays
 * unknown. */
static int look_for_users(struct inventory *inventory, struct openfile *files)
{
	int error = openfiles_count(files, inventory->n);

	for (size_t i = 0; i < inventory->n && !error; i++)
		if (files[i].inode)
			inventory->item[i].users = files[i].count;
	return error == -ENOENT ? 0 : error;
}

/* Ask about all that are in it. */
static int look(struct inventory *inventory)
{
	struct openfile *files;
	int error;

	if (inventory->n == 0)
		return 0;
	files = calloc(inventory->n, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->n; i++) {
		struct inventory_item *item = &inventory->item[i];

		if (item->exists)
			look_at[item->entry.kind](item, &files[i]);
	}
	error = look_for_users(inventory, files);
	free(files);
	return error;
}

static int take(struct inventory *inventory, bool with_foreign)
{
	int error;

	*inventory = (struct inventory){0};
	error = objname_each(append, inventory);
	if (!error && with_foreign)
		error = inventory_foreign_each(append_foreign, inventory);
	if (!error)
		error = look(inventory);
	if (error)
		inventory_free(inventory);
	return error;
}

int inventory_take(struct inventory *inventory)
{
	return take(inventory, false);
}

int inventory_take_all(struct inventory *inventory)
{
	return take(inventory, true);
}

int inventory_remove(const struct inventory_item *item)
{
	struct inventory now = {0};
	int error = item->is_foreign ? -EBUSY : append(&item->entry, &now);

	if (!error)
		error = look(&now);
	if (!error && inventory_keeps(&now.item[0]))
		error = -EBUSY;
	inventory_free(&now);
	return error ? error : objname_remove(&item->entry);
}

void inventory_free(struct inventory *inventory)
{
	free(inventory->item);
	*inventory = (struct inventory){0};
}

const char *inventory_holds(const struct inventory_item *item, char *buf,
			    size_t size)
{
	int at;

	snprintf(buf, size, "%s", "");
	if (item->waiting >= 0)
		snprintf(buf, size, "%lld message%s", (long long)item->waiting,
			 item->waiting == 1 ? "" : "s");
	if (item->values == 0)
		return buf;
	at = snprintf(buf, size, item->values == 1 ? "value" : "values");
	for (int i = 0; i < item->values && i < INVENTORY_VALUES; i++)
		if (at >= 0 && (size_t)at < size)
			at += snprintf(buf + at, size - (size_t)at, " %d",
				       item->value[i]);
	if (item->values > INVENTORY_VALUES && (size_t)at < size)
		snprintf(buf + at, size - (size_t)at, " …");
	return buf;
}

const char *inventory_owner_word(const struct inventory_item *item)
{
	switch (item->owner) {
	case OBJNAME_DEAD:
		return "dead";
	case OBJNAME_ALIVE:
		return "alive";
	case OBJNAME_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *inventory_state(const struct inventory_item *item, char *buf,
			    size_t size)
{
	const char *object = "";

	if (item->is_foreign) {
		snprintf(buf, size, "foreign, of uid %u", item->uid);
		return buf;
	}
	if (item->match == IDENTITY_ANOTHER)
		object = ", another object by now";
	else if (!item->exists && item->match != IDENTITY_CANNOT_TELL)
		object = ", object gone";
	snprintf(buf, size, "%s%s", inventory_owner_word(item), object);
	return buf;
}

const char *inventory_age(const struct inventory_item *item, char *buf,
			  size_t size)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	int64_t age_s = item->age_s > 0 ? item->age_s : 0;
	size_t i = 0;

	while (units[i].seconds > 1 && age_s < units[i].seconds)
		i++;
	snprintf(buf, size, "%lld %s", (long long)(age_s / units[i].seconds),
		 units[i].unit);
	return buf;
}

/* null for what is not known. */
static json_t *known(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *alive_to_json(enum objname_owner owner)
{
	return owner == OBJNAME_UNKNOWN ? json_null()
					: json_boolean(owner == OBJNAME_ALIVE);
}

/* A path may hold bytes that are no UTF-8, which JSON cannot. */
static json_t *text_to_json(const char *text)
{
	json_t *value = json_string(text);
	char ascii[OBJNAME_MAX];
	size_t i;

	if (value)
		return value;
	for (i = 0; i < sizeof(ascii) - 1 && text[i]; i++)
		ascii[i] = text[i] & (char)0x80 ? '?' : text[i];
	ascii[i] = '\0';
	return json_string(ascii);
}

static json_t *values_to_json(const struct inventory_item *item)
{
	json_t *values;

	if (item->values == 0)
		return json_null();
	values = json_array();
	for (int i = 0; i < item->values && i < INVENTORY_VALUES; i++)
		json_array_append_new(values, json_integer(item->value[i]));
	return values;
}

json_t *inventory_to_json(const struct inventory *inventory)
{
	json_t *objects = json_array();

	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_item *item = &inventory->item[i];
		const struct objname_entry *entry = &item->entry;
		json_t *object = json_pack(
			"{s:s, s:o, s:o, s:{s:o, s:o}, s:b, s:o, s:o, s:o, "
			"s:o, s:I, s:I, s:b, s:o}",
			"kind", objname_kind_word(entry->kind), "name",
			text_to_json(entry->name), "program",
			item->is_foreign ? json_null()
					 : text_to_json(entry->program),
			"owner", "pid",
			item->is_foreign ? json_null()
					 : json_integer(entry->owner.pid),
			"alive", alive_to_json(item->owner), "exists",
			item->exists, "size_bytes", known(item->bytes), "users",
			known(item->users), "messages", known(item->waiting),
			"values", values_to_json(item), "created",
			(json_int_t)entry->created, "age_s",
			(json_int_t)item->age_s, "foreign", item->is_foreign,
			"uid",
			item->is_foreign ? json_integer(item->uid)
					 : json_null());

		if (!object || json_array_append_new(objects, object)) {
			json_decref(objects);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o}", "schema", "unixipc-objects/1", "objects",
			 objects);
}
