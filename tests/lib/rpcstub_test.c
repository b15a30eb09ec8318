/* What lib/rpc/rpcstub makes of shapes.x: the table, and calls by both sides.
 * What it refuses is in rpcstub.bats. */
#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "tests/lib/shapes.h"

#define LENGTH(table) (sizeof(table) / sizeof((table)[0]))

/* ---- the service ---- */

static shape_id forgotten;

int shapes_move_1_svc(const struct rpc_request *request, shape_point *from,
		      shape_point *to)
{
	assert_int_equal(request->call->version, SHAPES_1);
	*to = *from;
	to->x++;
	return 0;
}

int shapes_forget_1_svc(const struct rpc_request *request, shape_id *id)
{
	(void)request;
	forgotten = *id;
	return 0;
}

/* What the box points to moves as well. */
int shapes_move_4_svc(const struct rpc_request *request, shape_box *from,
		      shape_box *to)
{
	assert_int_equal(request->call->version, SHAPES_4);
	*to = *from;
	*from = (shape_box){0};
	to->id++;
	return 0;
}

int shapes_tally_4_svc(const struct rpc_request *request, quad_t *count)
{
	(void)request;
	*count = INT64_C(-5000000000);
	return 0;
}

int shapes_forget_4_svc(const struct rpc_request *request, shape_id *id)
{
	(void)request;
	forgotten = *id + 1;
	return 0;
}

/* Fails. */
int shapes_reset_4_svc(const struct rpc_request *request)
{
	(void)request;
	return -EIO;
}

int shapes_turn_4_svc(const struct rpc_request *request, shape_row *from,
		      shape_row *to)
{
	(void)request;
	for (int i = 0; i < 3; i++)
		(*to)[i] = (*from)[2 - i];
	return 0;
}

/* Fails after it has made something of the result. */
int shapes_rename_4_svc(const struct rpc_request *request, shape_name *from,
			shape_name *to)
{
	(void)request;
	*to = strdup(*from);
	return -EIO;
}

int shapes_area_2_svc(const struct rpc_request *request, shape *of, u_int *area)
{
	assert_int_equal(request->call->program, OTHER_SHAPES);
	*area = (u_int)of->kind;
	return 0;
}

/* ---- the table ---- */

struct row {
	uint32_t program, version, number;
	const char *name;
	size_t args_bytes, max_args_bytes, result_bytes, max_result_bytes;
	unsigned int flags;
};

/* By hand from RFC 4506. A point: int, unsigned int, bool, double. */
enum { POINT = 4 + 4 + 4 + 8, NAME = 4 + 8, FLAGS = 6 * 4 + 8 };
/* The longest arm: a row of names. */
enum { SHAPE = 4 + (4 + 4 * NAME) };
/* id, key and blob filled up to a multiple of four, a shape or none, flags, and
 * as many counts as SHAPE_ROW is: 6. */
enum { BOX = 8 + 8 + (4 + 8) + (4 + SHAPE) + (4 + 2 * FLAGS) + 6 * 4 };

static const struct row golden[] = {
	{SHAPES, 1, 0, "null", 0, 0, 0, 0, RPC_IDEMPOTENT},
	{SHAPES, 1, 1, "move", sizeof(shape_point), POINT, sizeof(shape_point),
	 POINT, 0},
	{SHAPES, 1, 3, "forget", sizeof(shape_id), 8, 0, 0, 0},
	{SHAPES, 4, 0, "null", 0, 0, 0, 0, 0},
	{SHAPES, 4, 1, "move", sizeof(shape_box), BOX, sizeof(shape_box), BOX,
	 RPC_IDEMPOTENT},
	{SHAPES, 4, 2, "tally", 0, 0, sizeof(quad_t), 8,
	 RPC_IDEMPOTENT | RPC_QUICK},
	{SHAPES, 4, 3, "forget", sizeof(shape_id), 8, 0, 0, RPC_QUICK},
	{SHAPES, 4, 1000, "reset", 0, 0, 0, 0, 0},
	{SHAPES, 4, 5, "turn", sizeof(shape_row), 12, sizeof(shape_row), 12, 0},
	{SHAPES, 4, 6, "rename", sizeof(shape_name), NAME, sizeof(shape_name),
	 NAME, 0},
	{OTHER_SHAPES, 2, 0, "null", 0, 0, 0, 0, RPC_IDEMPOTENT},
	{OTHER_SHAPES, 2, 1, "area", sizeof(shape), SHAPE, sizeof(u_int), 4, 0},
};

static void assert_row(const struct rpc_procedure *p, const struct row *row)
{
	assert_int_equal(p->number, row->number);
	assert_string_equal(p->name, row->name);
	assert_int_equal(p->args_bytes, row->args_bytes);
	assert_int_equal(p->max_args_bytes, row->max_args_bytes);
	assert_int_equal(p->result_bytes, row->result_bytes);
	assert_int_equal(p->max_result_bytes, row->max_result_bytes);
	assert_int_equal(p->flags, row->flags);
	assert_int_equal(!p->xdr_args, !row->args_bytes);
	assert_int_equal(!p->xdr_result, !row->result_bytes);
	/* Procedure 0 does nothing, and needs no function. */
	assert_int_equal(!p->serve, row->number == 0);
}

static void every_procedure_of_every_version_is_in_the_table(void **state)
{
	const struct row *row = golden;

	(void)state;
	for (size_t i = 0; i < SHAPES_PROGRAMS; i++) {
		const struct rpc_program *program = &shapes_programs[i];

		for (size_t j = 0; j < program->n_procedures; j++, row++) {
			assert_true(row < golden + LENGTH(golden));
			assert_int_equal(program->program, row->program);
			assert_int_equal(program->version, row->version);
			assert_row(&program->procedures[j], row);
		}
	}
	assert_ptr_equal(row, golden + LENGTH(golden));
}

static char long_name[] = "12345";
static shape_name names[CORNERS] = {long_name, long_name, long_name, long_name};
static shape_flags flags[2];
static char blob[7];

static shape largest_shape(void)
{
	return (shape){SHAPE_ROW, {.names = {CORNERS, names}}};
}

static shape_box largest_box(shape *content)
{
	return (shape_box){.id = 7,
			   .key = "secret",
			   .blob = {sizeof(blob), blob},
			   .content = content,
			   .flags = {LENGTH(flags), flags}};
}

static void largest_values_fill_their_bounds(void **state)
{
	shape content = largest_shape();
	shape_box box = largest_box(&content);

	(void)state;
	assert_int_equal(xdr_sizeof((xdrproc_t)xdr_shape, &content), SHAPE);
	assert_int_equal(xdr_sizeof((xdrproc_t)xdr_shape_box, &box), BOX);
}

/* ---- both sides ---- */

struct sides {
	struct rpc_server *server;
	struct rpc_client *client;
	pthread_t thread;
	int stop_fd;
};

static void *run_server(void *arg)
{
	struct sides *sides = arg;

	return (void *)(intptr_t)rpc_server_run(sides->server, sides->stop_fd);
}

static struct rpc_client *open_client(const struct sides *sides,
				      uint32_t program, uint32_t version)
{
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = "127.0.0.1",
		.port = rpc_server_port(sides->server, RPC_TCP),
		.program = program,
		.version = version,
		.timeout_ns = 60 * TICK_S,
	};
	struct rpc_client *client;
	struct rpc_fault fault;

	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	return client;
}

static int open_with(void **state, const struct rpc_program *programs,
		     size_t n_programs)
{
	const struct rpc_server_options options = {
		.dispatch = {.programs = programs, .n_programs = n_programs},
		.host = "127.0.0.1",
		.has_tcp = true,
	};
	struct sides *sides = calloc(1, sizeof(*sides));

	assert_non_null(sides);
	assert_int_equal(rpc_server_open(&sides->server, &options), 0);
	sides->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(
		pthread_create(&sides->thread, NULL, run_server, sides), 0);
	sides->client = open_client(sides, SHAPES, SHAPES_1);
	*state = sides;
	return 0;
}

static int open_sides(void **state)
{
	return open_with(state, shapes_programs, SHAPES_PROGRAMS);
}

/* Moves a box and leaves out what is behind its blob. */
static bool_t put_half(XDR *xdrs, shape_box *box)
{
	return xdr_shape_id(xdrs, &box->id) && xdr_shape_key(xdrs, box->key) &&
	       xdr_shape_blob(xdrs, &box->blob);
}

static int answer_nothing(const struct rpc_request *request, void *args,
			  void *result)
{
	shape_box *box = result;

	(void)request;
	(void)args;
	box->blob.shape_blob_val = strdup("half");
	box->blob.shape_blob_len = 4;
	return 0;
}

static int open_lying(void **state)
{
	static const struct rpc_procedure half = {
		.number = SHAPES_MOVE,
		.name = "half",
		.xdr_args = (xdrproc_t)xdr_shape_box,
		.args_bytes = sizeof(shape_box),
		.xdr_result = (xdrproc_t)put_half,
		.result_bytes = sizeof(shape_box),
		.serve = answer_nothing,
	};
	static const struct rpc_program program = {SHAPES, SHAPES_4, &half, 1};

	return open_with(state, &program, 1);
}

static int close_sides(void **state)
{
	const uint64_t one = 1;
	struct sides *sides = *state;
	void *result;

	rpc_client_close(sides->client);
	assert_int_equal(write(sides->stop_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_join(sides->thread, &result), 0);
	assert_null(result);
	rpc_server_close(sides->server);
	close(sides->stop_fd);
	free(sides);
	return 0;
}

static void calls_go_to_their_version(void **state)
{
	const struct sides *sides = *state;
	const shape_point from = {1, 2, TRUE, 0.5};
	const shape_row row = {1, 2, 3};
	const shape_id id = UINT64_MAX - 1;
	struct rpc_fault fault;
	shape_row turned;
	shape_point to;
	quad_t count;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			shapes_move_1(sides->client, &from, &to, &fault), 0);
		assert_int_equal(to.x, 2);
		assert_true(to.is_set);
		assert_int_equal(shapes_forget_4(sides->client, &id, &fault),
				 0);
		assert_int_equal(forgotten, UINT64_MAX);
		assert_int_equal(shapes_forget_1(sides->client, &id, &fault),
				 0);
		assert_int_equal(forgotten, UINT64_MAX - 1);
		assert_int_equal(shapes_null_4(sides->client, &fault), 0);
		assert_int_equal(shapes_tally_4(sides->client, &count, &fault),
				 0);
		assert_int_equal(count, INT64_C(-5000000000));
		assert_int_equal(
			shapes_turn_4(sides->client, &row, &turned, &fault), 0);
		assert_int_equal(turned[0], 3);
	}
}

static void largest_values_come_back(void **state)
{
	const struct sides *sides = *state;
	shape content = largest_shape();
	shape_box box = largest_box(&content), back;
	struct rpc_fault fault;

	assert_int_equal(shapes_move_4(sides->client, &box, &back, &fault), 0);
	assert_int_equal(back.id, 8);
	assert_memory_equal(back.key, "secret", 6);
	assert_int_equal(back.content->kind, SHAPE_ROW);
	assert_string_equal(back.content->shape_u.names.names_val[3], "12345");
	assert_int_equal(back.flags.flags_len, 2);
	xdr_free((xdrproc_t)xdr_shape_box, (char *)&back);
}

static void result_is_zero_after_a_fault(void **state)
{
	const struct sides *sides = *state;
	const shape_name name = long_name;
	shape_name other = long_name;
	struct rpc_fault fault;

	assert_int_equal(shapes_reset_4(sides->client, &fault),
			 RPC_FAULT_SYSTEM);
	assert_int_equal(shapes_rename_4(sides->client, &name, &other, &fault),
			 RPC_FAULT_SYSTEM);
	assert_null(other);
}

struct started {
	int n, failed;
};

static void count_done(const struct rpc_fault *fault, void *arg)
{
	struct started *started = arg;

	started->n++;
	started->failed += fault->kind != RPC_FAULT_NONE;
}

static void calls_of_all_versions_are_in_flight_together(void **state)
{
	const struct sides *sides = *state;
	const shape_point from = {1, 2, TRUE, 0.5};
	const shape_name name = long_name;
	struct started started = {0};
	struct rpc_fault fault;
	shape_name other = long_name;
	shape_point to[8];
	quad_t counts[8];

	for (int i = 0; i < 8; i++) {
		assert_int_equal(shapes_move_1_start(sides->client, &from,
						     &to[i], count_done,
						     &started, &fault),
				 0);
		assert_int_equal(shapes_tally_4_start(sides->client, &counts[i],
						      count_done, &started,
						      &fault),
				 0);
	}
	assert_int_equal(shapes_rename_4_start(sides->client, &name, &other,
					       count_done, &started, &fault),
			 0);
	while (rpc_client_in_flight(sides->client) > 0)
		assert_true(rpc_client_wait(sides->client,
					    tick_after(60 * TICK_S)) > 0);
	assert_int_equal(started.n, 17);
	assert_int_equal(started.failed, 1);
	assert_null(other);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(to[i].x, 2);
		assert_int_equal(counts[i], INT64_C(-5000000000));
	}
}

static void result_that_came_in_half_is_freed_and_zero(void **state)
{
	const struct sides *sides = *state;
	static const shape_box zero;
	const shape_box box = {.id = 7};
	struct rpc_fault fault;
	shape_box back;

	assert_int_equal(shapes_move_4(sides->client, &box, &back, &fault),
			 RPC_FAULT_BAD_REPLY);
	assert_memory_equal(&back, &zero, sizeof(back));
}

static void programs_of_one_file_stand_beside_each_other(void **state)
{
	struct rpc_client *client = open_client(*state, OTHER_SHAPES, OTHER);
	const shape none = {.kind = (shape_kind)99};
	struct rpc_fault fault;
	u_int area;

	assert_int_equal(shapes_area_2(client, &none, &area, &fault), 0);
	assert_int_equal(area, 99);
	rpc_client_close(client);
}

#define CASE(test) \
	cmocka_unit_test_setup_teardown(test, open_sides, close_sides)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_procedure_of_every_version_is_in_the_table),
		cmocka_unit_test(largest_values_fill_their_bounds),
		CASE(calls_go_to_their_version),
		CASE(largest_values_come_back),
		CASE(result_is_zero_after_a_fault),
		cmocka_unit_test_setup_teardown(
			result_that_came_in_half_is_freed_and_zero, open_lying,
			close_sides),
		CASE(calls_of_all_versions_are_in_flight_together),
		CASE(programs_of_one_file_stand_beside_each_other),
	};

	return SUPPORT_MAIN(tests);
}
