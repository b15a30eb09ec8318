/* calc_client_auth - calls calc_server_auth, and says who is calling. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cmd/call.h"
#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p17-rpc-auth/authdh/authdh_client.h"
#include "p17-rpc-auth/cmd/options.h"
#include "p17-rpc-auth/service.h"
#include "p17-rpc-auth/sums.h"

enum {
	WORDS = 4,             /* host, operation, operands */
	ANY = SERVICE_DES + 1, /* of --auth: the next one, if it is too weak */
};

static const char *const auths[] = {"none", "sys", "des", "any", NULL};

struct settings {
	struct call call;
	const char *keys_path, *secret_path, *server;
	int auth;         /* enum service_auth, or ANY at first */
	bool may_climb;   /* from AUTH_SYS to AUTH_DES */
	int64_t uid, gid; /* -1: ours */
	int64_t window_ns;
	uint64_t repeat;
	int operation; /* a number of service_procedures */
	sums_operands operands;
	char using[NETNAME_MAX + 32];
};

static const char doc[] =
	"Let calc_server_auth add, subtract or multiply, or say who it thinks "
	"we are (whoami).\v"
	"Examples:\n"
	"  ./calc_client_auth localhost add 7 9\n"
	"  ./calc_client_auth localhost add 7 9 --uid=9999\n"
	"  ./calc_client_auth --auth=des localhost whoami\n\n" CALL_EXIT_STATUS;

/* ---- the command line ---- */

/* Of n words: HOST OPERATION [A B]. */
static void take_words(struct settings *s, int n, char **words)
{
	int wanted;

	if (n < 2)
		die_usage("give a host and an operation, like: "
			  "calc_client_auth localhost add 7 9");
	if (n > WORDS)
		die_usage("'%s': too many operands", words[WORDS]);
	call_check(&s->call, words[0]);
	s->operation = cli_word("operation", words[1], service_procedures);
	wanted = s->operation == SUMS_NULL || s->operation == SUMS_WHOAMI ? 0
									  : 2;
	if (n - 2 != wanted)
		die_usage("%s takes %s", words[1],
			  wanted ? "two operands" : "no operands");
	if (wanted) {
		s->operands.a = (int)cli_integer("operand", words[2], INT32_MIN,
						 INT32_MAX);
		s->operands.b = (int)cli_integer("operand", words[3], INT32_MIN,
						 INT32_MAX);
	}
}

static void check(struct settings *s)
{
	const bool is_claim = s->uid >= 0 || s->gid >= 0;

	if (is_claim && s->auth != SERVICE_SYS && s->auth != ANY)
		die_usage("--uid and --gid are for --auth=sys");
	if (s->auth == ANY) {
		s->auth = SERVICE_SYS;
		s->may_climb = !is_claim;
	}
	if (netname_check(s->server))
		die_usage("--server=%s: not of the form unix.NAME@DOMAIN",
			  s->server);
}

static void parse(struct settings *s, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_WORD("auth", 'a', "NAME", &s->auth, auths,
			 "none, sys, des, or any (the default): sys, and des "
			 "when the server says that that is too weak"),
		CLI_INTEGER("uid", 'u', "N", &s->uid, 0, UINT32_MAX,
			    "sys: claim to be this user"),
		CLI_INTEGER("gid", 'g', "N", &s->gid, 0, UINT32_MAX,
			    "sys: claim to be in this group"),
		CLI_TEXT("keys", 'k', "FILE", &s->keys_path,
			 "des: the file of public keys (default " OPTIONS_KEYS
			 ")"),
		CLI_TEXT("secret", 'S', "FILE", &s->secret_path,
			 "des: our secret key (default secret.UID)"),
		CLI_TEXT("server", 'N', "NETNAME", &s->server,
			 "des: the server's name (default unix." OPTIONS_HOST
			 "@" NETNAME_DOMAIN ")"),
		CLI_DURATION("window", 'w', "DUR", &s->window_ns, TICK_S,
			     INT64_C(86400) * TICK_S,
			     "des: how long a call is valid (default 60s)"),
		CLI_COUNT("repeat", 'r', "N", &s->repeat, 1, 1000000,
			  "Call N times in one conversation"),
		CALL_OPTIONS(&s->call),
		{0},
	};
	const struct cli_command command = {
		.doc = doc,
		.operands = "HOST OPERATION [A B]",
		.most = INT_MAX,
		.options = options,
	};

	take_words(s, cli_parse(&command, argc, argv), argv + 1);
	check(s);
}

/* ---- who we are ---- */

static AUTH *make_sys(struct settings *s)
{
	uid_t uid = s->uid < 0 ? geteuid() : (uid_t)s->uid;
	gid_t gid = s->gid < 0 ? getegid() : (gid_t)s->gid;
	char host[256] = "";
	static gid_t gids[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, gids);

	if (n < 0)
		die_warn_errno(-errno, "no supplementary group is sent");
	/* Some are better than none. */
	if (n > RPC_AUTH_GIDS) {
		die_warn("of %d supplementary groups the first %d are sent: "
			 "AUTH_SYS has no room for more",
			 n, RPC_AUTH_GIDS);
		n = RPC_AUTH_GIDS;
	}
	gethostname(host, sizeof(host) - 1);
	snprintf(s->using, sizeof(s->using), "uid=%u, gid=%u", uid, gid);
	return authunix_create(host, uid, gid, n < 0 ? 0 : n, gids);
}

static AUTH *make_des(struct settings *s)
{
	char ours[NETNAME_MAX + 1];
	const struct keys_entry *server;
	struct keys_entry secret;
	struct keys keys;
	AUTH *auth;
	int error;

	netname_of_user(ours, geteuid(), NETNAME_DOMAIN);
	options_load_keys(&keys, s->keys_path);
	options_load_secret(&secret, s->secret_path, ours, &keys, s->keys_path);
	server = keys_find(&keys, s->server);
	if (!server)
		die("'%s' has no public key of '%s': keygen --host makes one",
		    s->keys_path, s->server);
	error = authdh_client_create(
		&auth, &(struct authdh_client_options){
			       .secret = &secret,
			       .server = server,
			       .window_s = (uint32_t)(s->window_ns / TICK_S),
		       });
	if (error)
		die_errno(error, "cannot use the public key of '%s'",
			  s->server);
	snprintf(s->using, sizeof(s->using), "netname=%s", secret.name);
	dh_wipe(&secret, sizeof(secret));
	keys_free(&keys);
	return auth;
}

/* Whether there is a key to prove ourselves with. */
static bool has_secret(const struct settings *s)
{
	char ours[NETNAME_MAX + 1], path[NETNAME_MAX + 16];

	if (s->secret_path)
		return true;
	netname_of_user(ours, geteuid(), NETNAME_DOMAIN);
	return access(options_secret_path(ours, path, sizeof(path)), F_OK) == 0;
}

static AUTH *make_auth(struct settings *s)
{
	AUTH *auth;

	if (s->auth == SERVICE_NONE)
		return NULL;
	auth = s->auth == SERVICE_SYS ? make_sys(s) : make_des(s);
	if (!auth)
		die("cannot make a credential: no memory");
	return auth;
}

/* Whether the call is worth another try, by the next flavor. RPC has no other way
 * to agree on one; and it only goes up, as the answer proves nothing: who sits in
 * between could else have us say less and less. */
static bool climbs(struct settings *s, struct rpc_client *client,
		   const struct rpc_fault *fault)
{
	if (!s->may_climb || fault->kind != RPC_FAULT_AUTH ||
	    fault->why != AUTH_TOOWEAK || !has_secret(s))
		return false;
	s->may_climb = false;
	s->auth = SERVICE_DES;
	rpc_client_set_auth(client, make_auth(s));
	return true;
}

/* ---- the call ---- */

/* A timestamp that is refused has a clock behind it, mostly. */
static void tell_clock(const struct settings *s)
{
	const time_t now = time(NULL);
	struct tm utc;
	char text[32];

	gmtime_r(&now, &utc);
	strftime(text, sizeof(text), "%F %T", &utc);
	fprintf(stderr,
		" (it is %s UTC here: the server's clock may differ by %" PRId64
		" s, and ours may not have been set back)",
		text, s->window_ns / TICK_S);
}

static _Noreturn void fail(const struct settings *s,
			   const struct rpc_fault *fault)
{
	char text[256];

	if (fault->kind != RPC_FAULT_AUTH)
		call_fail(&s->call, fault);
	fprintf(stderr, "AUTH failed: %s",
		rpc_fault_text(fault, text, sizeof(text)));
	if (fault->why == AUTH_REJECTEDVERF)
		tell_clock(s);
	fputc('\n', stderr);
	exit(rpc_fault_status(fault));
}

static enum rpc_fault_kind call(const struct settings *s,
				struct rpc_client *client, quad_t *number,
				sums_caller *caller, struct rpc_fault *fault)
{
	switch (s->operation) {
	case SUMS_ADD:
		return sums_add_1(client, &s->operands, number, fault);
	case SUMS_SUBTRACT:
		return sums_subtract_1(client, &s->operands, number, fault);
	case SUMS_MULTIPLY:
		return sums_multiply_1(client, &s->operands, number, fault);
	case SUMS_WHOAMI:
		return sums_whoami_1(client, caller, fault);
	default:
		return sums_null_1(client, fault);
	}
}

static void print(const struct settings *s, quad_t number,
		  const sums_caller *caller)
{
	if (s->operation == SUMS_NULL)
		printf("The server is there\n");
	else if (s->operation == SUMS_WHOAMI)
		printf("Caller: %s\n", caller->text);
	else
		printf("Result: %" PRId64 "\n", (int64_t)number);
}

static void call_and_print(struct settings *s, struct rpc_client *client,
			   bool is_first)
{
	sums_caller caller = {0};
	struct rpc_fault fault;
	quad_t number = 0;

	while (call(s, client, &number, &caller, &fault)) {
		if (climbs(s, client, &fault))
			continue;
		rpc_client_close(client);
		fail(s, &fault);
	}
	/* Only now is it known that the server took it. */
	if (is_first && *s->using)
		printf("Using %s (%s)\n", options_flavors[s->auth], s->using);
	else if (is_first)
		printf("Using %s\n", options_flavors[s->auth]);
	print(s, number, &caller);
	xdr_free((xdrproc_t)xdr_sums_caller, &caller);
}

int main(int argc, char **argv)
{
	struct settings s = {
		.call = {.client = {.program = SUMS_PROG,
				    .version = SUMS_VERS,
				    .timeout_ns = 5 * TICK_S,
				    .retries = 4,
				    .may_repeat = true},
			 .server = "calc_server_auth"},
		.keys_path = OPTIONS_KEYS,
		.server = "unix." OPTIONS_HOST "@" NETNAME_DOMAIN,
		.auth = ANY,
		.window_ns = 60 * TICK_S,
		.uid = -1,
		.gid = -1,
		.repeat = 1,
	};
	struct rpc_client *client;
	struct rpc_fault fault;
	AUTH *auth;

	parse(&s, argc, argv);
	auth = make_auth(&s);
	if (rpc_client_open(&client, &s.call.client, &fault)) {
		if (auth)
			auth_destroy(auth);
		fail(&s, &fault);
	}
	rpc_client_set_auth(client, auth);
	for (uint64_t i = 0; i < s.repeat; i++)
		call_and_print(&s, client, i == 0);
	rpc_client_close(client);
	return 0;
}
