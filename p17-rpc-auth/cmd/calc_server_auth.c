/* calc_server_auth - the calculator that asks who is calling. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/cmd/cli.h"
#include "lib/cmd/die.h"
#include "lib/cmd/serve.h"
#include "lib/cmd/stop.h"
#include "p17-rpc-auth/cmd/options.h"
#include "p17-rpc-auth/service.h"
#include "p17-rpc-auth/sums.h"

struct settings {
	struct serve serve;
	struct service service;
	const char *keys_path, *secret_path, *policy_path;
	bool is_verbose;
};

static const char doc[] =
	"Serve a calculator by ONC RPC, program 0x31230001 (rpcinfo says "
	"824377345), to callers who say, or prove, who they are; until "
	"SIGINT, SIGTERM or SIGHUP. With --auth=sys, which believes what callers say, it "
	"listens on 127.0.0.1 unless --listen says another address.\v"
	"Examples:\n"
	"  ./calc_server_auth --auth=sys --allow='* uid=1000'\n"
	"  ./calc_server_auth --auth=des --policy=rules\n\n"
	"Exit status: 0 stopped, 1 failed, 2 usage.";

static void allow(const char *rule, void *where)
{
	struct policy *policy = where;
	const size_t before = policy->n;
	int error = policy_add(policy, rule);

	if (error == -ENOSPC)
		die_usage("--allow: more than %d rules", POLICY_RULES);
	if (error || policy->n == before)
		die_usage("--allow '%s': wanted a procedure or *, and then "
			  "anybody, uid=N, gid=N, host=NETNAME, proved",
			  rule);
}

static void parse(struct settings *s, int argc, char **argv)
{
	const struct cli_option options[] = {
		CLI_WORD("auth", 'a', "NAME", &s->service.auth, options_auth,
			 "none, sys (the default) or des"),
		CLI_CALL("allow", 'A', "RULE", allow, &s->service.policy,
			 "Who may call what, like 'multiply uid=1000'; may be "
			 "repeated"),
		CLI_TEXT("policy", 'P', "FILE", &s->policy_path,
			 "A file of such rules"),
		CLI_TEXT("keys", 'k', "FILE", &s->keys_path,
			 "The file of public keys (default " OPTIONS_KEYS ")"),
		CLI_TEXT("secret", 'S', "FILE", &s->secret_path,
			 "The server's secret key (default "
			 "secret." OPTIONS_HOST "); FILE.floor is made"),
		SERVE_OPTIONS(&s->serve),
		CLI_ON("verbose", 'v', &s->is_verbose,
		       "Say of each call who made it, and which connections "
		       "are closed"),
		{0},
	};
	const struct cli_command command = {.doc = doc, .options = options};

	policy_init(&s->service.policy, service_procedures);
	cli_parse(&command, argc, argv);
	serve_check(&s->serve);
	/* Who can reach it can say who he is. */
	if (s->service.auth == SERVICE_SYS && !s->serve.server.host)
		s->serve.server.host = "127.0.0.1";
}

/* ---- who may call ---- */

static void load_policy(struct settings *s)
{
	struct policy *policy = &s->service.policy;
	char rule[32];
	size_t line;
	int error;

	if (s->policy_path) {
		error = policy_load(policy, s->policy_path, &line);
		if (error && line)
			die("policy '%s', line %zu: %s", s->policy_path, line,
			    error == -ENOSPC ? "too many rules"
					     : "no such procedure or word");
		if (error == -ENODATA)
			die("policy '%s': has no rule, so that nobody could "
			    "call: '* anybody' would let all",
			    s->policy_path);
		if (error == -EPERM)
			die("policy '%s': others may change it: chmod go-w it",
			    s->policy_path);
		if (error)
			die_errno(error, "cannot read policy '%s'",
				  s->policy_path);
	}
	if (policy->n > 0)
		return;
	/* Nothing was said: who runs the server; or whoever has a key here. */
	if (s->service.auth == SERVICE_NONE)
		snprintf(rule, sizeof(rule), "* anybody");
	else if (s->service.auth == SERVICE_SYS)
		snprintf(rule, sizeof(rule), "* uid=%u", geteuid());
	else
		snprintf(rule, sizeof(rule), "* proved anybody");
	policy_add(policy, rule);
}

static _Noreturn void refuse_floors(const char *path, int error)
{
	switch (error) {
	case -EBUSY:
		die("'%s': another server with this key runs", path);
	case -EPERM:
		die("'%s': others may change it: chmod go-w it", path);
	case -EBADMSG:
		die("'%s' does not say which calls were taken: remove it, and "
		    "begin in ten minutes, when none of them is valid any more",
		    path);
	default:
		die_errno(error, "cannot prepare AUTH_DES, or read '%s'", path);
	}
}

static void load_keys(struct settings *s, struct keys *keys)
{
	struct keys_entry secret;
	char floors[PATH_MAX];
	int error;

	if (s->service.auth != SERVICE_DES)
		return;
	options_load_keys(keys, s->keys_path);
	options_load_secret(&secret, s->secret_path,
			    "unix." OPTIONS_HOST "@" NETNAME_DOMAIN, keys,
			    s->keys_path);
	snprintf(floors, sizeof(floors), "%s.floor",
		 s->secret_path ? s->secret_path : "secret." OPTIONS_HOST);
	error = authdh_server_open(&s->service.dh,
				   &(struct authdh_server_options){
					   .publics = keys,
					   .secret = &secret,
					   .floors_path = floors,
				   });
	dh_wipe(&secret, sizeof(secret));
	if (error)
		refuse_floors(floors, error);
}

static void print_call(const struct rpc_request *request, enum auth_stat why)
{
	char who[400];

	service_describe(request->who, who, sizeof(who));
	printf("%s by %s over %s: %s\n", request->procedure->name, who,
	       rpc_auth_transport_name(request->peer->transport),
	       why == AUTH_OK ? "allowed" : rpc_fault_auth_text(why));
	fflush(stdout);
}

/* ---- serving ---- */

static void tell(const struct rpc_server *server, bool is_registered, void *arg)
{
	const struct settings *s = arg;

	if (is_registered)
		printf("Registered with rpcbind");
	else if (s->serve.has_no_rpcbind)
		serve_print_listening(&s->serve, server);
	else
		return;
	printf(" (%s)\n", options_flavors[s->service.auth]);
}

int main(int argc, char **argv)
{
	struct settings s = {
		.serve.server = {.has_tcp = true, .has_udp = true},
		.service = {.auth = SERVICE_SYS},
		.keys_path = OPTIONS_KEYS,
	};
	struct rpc_server *server;
	struct keys keys = {0};
	int error, status;

	parse(&s, argc, argv);
	load_policy(&s);
	load_keys(&s, &keys);
	error = stop_install();
	if (error)
		die_errno(error, "cannot handle signals");
	if (s.is_verbose) {
		s.service.on_call = print_call;
		s.serve.server.on_event = serve_print_event;
	}
	service_dispatch(&s.service, &s.serve.server.dispatch);
	server = serve_open(&s.serve);
	status = serve_run(&s.serve, server, tell, &s);
	serve_close(&s.serve, server);
	authdh_server_close(s.service.dh);
	keys_free(&keys);
	return status;
}
