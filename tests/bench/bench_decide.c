/*
 * bench_decide.c - how long a decision takes with 10,000 partners and 1,000 applications.
 * In: nothing; the policy is made here.
 * Out: nanoseconds per decision, per application lookup and per change of a partner.
 */
#include "decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PARTNERS 10000
#define APPS 1000
#define ACCESS_POLICIES 20
#define ROUNDS 5000000u
#define CHANGES 20000u
#define ID_FORMAT "6f1c2d3e-%04x-4b5a-9c8d-%012x"

struct line {
	enum b2b_attr attr;
	const char *text;
};

struct lines {
	struct line line[16];
	size_t count;
};

static bool value_of(const void *entry, enum b2b_attr attr, size_t index, struct b2b_str *value_r)
{
	const struct lines *lines = entry;

	for (size_t i = 0; i < lines->count; i++) {
		if (lines->line[i].attr == attr && index-- == 0) {
			*value_r = b2b_str_of(lines->line[i].text);
			return true;
		}
	}
	return false;
}

static void put(struct b2b_snapshot **snapshot, enum b2b_rule_kind kind, const char *dn,
		const struct lines *lines)
{
	struct b2b_source source = { dn, lines, value_of };
	struct b2b_snapshot *next;
	struct b2b_error error;
	struct b2b_rule *rule;

	if (b2b_rule_compile(kind, &source, &rule, &error) != B2B_OK) {
		fprintf(stderr, "%s: %s\n", dn, error.text);
		exit(EXIT_FAILURE);
	}
	next = b2b_snapshot_with(*snapshot, rule);
	b2b_snapshot_unref(snapshot);
	b2b_rule_unref(&rule);
	*snapshot = next;
}

static void put_partner(struct b2b_snapshot **snapshot, unsigned number)
{
	char dn[128], id[64];
	struct lines lines = { { { B2B_ATTR_TENANT_ID, id },
				 { B2B_ATTR_COLLAB_IN_USERS_ACCESS, "allowed" },
				 { B2B_ATTR_COLLAB_IN_USERS_TARGET, "uid=eve,dc=home" },
				 { B2B_ATTR_COLLAB_IN_USERS_TARGET, "uid=bob,dc=home" },
				 { B2B_ATTR_COLLAB_IN_APPS_ACCESS, "blocked" },
				 { B2B_ATTR_COLLAB_IN_APPS_TARGET, "payroll" } },
			       6 };

	snprintf(id, sizeof id, ID_FORMAT, number % 65536, number);
	snprintf(dn, sizeof dn, "b2btenantid=%s,cn=partners,cn=b2b,dc=ours", id);
	put(snapshot, B2B_RULE_PARTNER, dn, &lines);
}

static struct b2b_snapshot *make_policy(void)
{
	struct b2b_snapshot *snapshot = b2b_snapshot_new();
	struct lines tenant = { { { B2B_ATTR_CN, "b2b" } }, 1 };
	char dn[128], id[64], service[128];
	struct lines app = { { { B2B_ATTR_CN, id }, { B2B_ATTR_APP_SERVICE_DN, service } }, 2 };

	put(&snapshot, B2B_RULE_TENANT, "cn=b2b,dc=ours", &tenant);
	put(&snapshot, B2B_RULE_DEFAULT, "cn=default,cn=b2b,dc=ours", &tenant);
	for (unsigned i = 0; i < PARTNERS; i++)
		put_partner(&snapshot, i);
	for (unsigned i = 0; i < APPS; i++) {
		snprintf(id, sizeof id, "application-%u", i);
		snprintf(dn, sizeof dn, "cn=%s,cn=applications,cn=b2b,dc=ours", id);
		snprintf(service, sizeof service, "cn=%s,ou=services,dc=ours", id);
		put(&snapshot, B2B_RULE_APP, dn, &app);
	}
	return snapshot;
}

/* Policies as a directory may have them: by partner, by application, by network, for all. */
static void put_access(struct b2b_snapshot **snapshot)
{
	char dn[128], partner[2][64], app[64];
	struct lines by_partner = { { { B2B_ATTR_CA_STATE, "enabled" },
				      { B2B_ATTR_CA_INCLUDE_PARTNER, partner[0] },
				      { B2B_ATTR_CA_INCLUDE_PARTNER, partner[1] },
				      { B2B_ATTR_CA_GRANT, "compliantDevice" } },
				    4 };
	struct lines by_app = { { { B2B_ATTR_CA_STATE, "enabled" },
				  { B2B_ATTR_CA_INCLUDE_APP, app },
				  { B2B_ATTR_CA_GRANT, "mfa" },
				  { B2B_ATTR_CA_MAX_LABEL, "General" } },
				4 };
	struct lines by_network = { { { B2B_ATTR_CA_STATE, "enabled" },
				      { B2B_ATTR_CA_EXCLUDE_NETWORK, "192.0.2.0/24" },
				      { B2B_ATTR_CA_EXCLUDE_NETWORK, "2001:db8::/32" },
				      { B2B_ATTR_CA_GRANT, "block" } },
				    4 };
	struct lines for_all = { { { B2B_ATTR_CA_STATE, "enabled" },
				   { B2B_ATTR_CA_EXCLUDE_PARTNER, partner[1] },
				   { B2B_ATTR_CA_GRANT, "mfa" },
				   { B2B_ATTR_CA_GRANT, "terms" },
				   { B2B_ATTR_CA_GRANT_OPERATOR, "OR" },
				   { B2B_ATTR_CA_SIGN_IN_FREQUENCY, "86400" } },
				 6 };
	const struct lines *kinds[] = { &by_partner, &by_app, &by_network, &for_all };

	for (unsigned i = 0; i < ACCESS_POLICIES; i++) {
		for (unsigned j = 0; j < 2; j++)
			snprintf(partner[j], sizeof partner[j], ID_FORMAT, 5 * i + j, 5 * i + j);
		snprintf(app, sizeof app, "application-%u", i);
		snprintf(dn, sizeof dn, "cn=policy-%u,cn=conditional-access,cn=b2b,dc=ours", i);
		put(snapshot, B2B_RULE_ACCESS, dn, kinds[i % 4]);
	}
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void bench_decisions(const struct b2b_snapshot *snapshot)
{
	static char ids[PARTNERS][64];
	struct b2b_context context = { .now = 1800000000,
				       .sign_in = { .when = 1799990000, .own_mfa = true },
				       .is_protected = true };
	struct b2b_guest guest = { .dn = "uid=bob,ou=guests,dc=ours",
				   .home_subject = b2b_str_of("uid=bob,dc=home"),
				   .well_formed = true,
				   .enabled = true,
				   .accepted = true,
				   .valid_until = 1900000000 };
	unsigned allowed = 0;
	double start;

	b2b_addr_parse(b2b_str_of("192.0.2.7"), &context.peer);
	for (unsigned i = 0; i < PARTNERS; i++)
		snprintf(ids[i], sizeof ids[i], ID_FORMAT, i % 65536, i);
	start = now_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		guest.home_tenant = b2b_str_of(ids[i * 7919u % PARTNERS]);
		allowed += b2b_decide(snapshot, &guest,
				      b2b_snapshot_app_at(snapshot, i * 31u % APPS), &context)
				   .effect;
	}
	printf("decide: %.0f ns (%d partners, %d applications, %zu access policies, %u of %u "
	       "allowed)\n",
	       (now_ns() - start) / ROUNDS, PARTNERS, APPS,
	       b2b_snapshot_count(snapshot, B2B_RULE_ACCESS), allowed, ROUNDS);
}

static void bench_lookups(const struct b2b_snapshot *snapshot)
{
	static char services[APPS][64];
	struct b2b_door door = { .service_ndn = { NULL, 0 } };
	unsigned found = 0;
	double start;

	for (unsigned i = 0; i < APPS; i++)
		snprintf(services[i], sizeof services[i], "cn=application-%u,ou=services,dc=ours",
			 i);
	start = now_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		door.service_ndn = b2b_str_of(services[i * 31u % APPS]);
		found += b2b_snapshot_app(snapshot, &door) != NULL;
	}
	printf("application: %.0f ns (%u of %u found)\n", (now_ns() - start) / ROUNDS, found,
	       ROUNDS);
}

int main(void)
{
	double start = now_ns();
	struct b2b_snapshot *snapshot = make_policy();

	printf("load: %.0f ms for all partners and applications\n", (now_ns() - start) / 1e6);
	bench_decisions(snapshot);
	put_access(&snapshot);
	bench_decisions(snapshot);
	bench_lookups(snapshot);
	start = now_ns();
	for (unsigned i = 0; i < CHANGES; i++)
		put_partner(&snapshot, i * 7919u % PARTNERS);
	printf("change: %.1f us for one partner, compiled and published\n",
	       (now_ns() - start) / CHANGES / 1e3);
	b2b_snapshot_unref(&snapshot);
	return EXIT_SUCCESS;
}
