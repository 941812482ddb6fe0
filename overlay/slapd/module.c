/*
 * module.c - the module's only entrance: version check, schema, the two overlays.
 * In: slapd loads b2b.so.  Out: schema of the directory, overlays "b2b" and "b2bgate".
 */
#include "proof.h"

/* slapd's own version line, exported by the server ("@(#) $OpenLDAP: slapd 2.5.13+dfsg-5 ..."). */
extern const char Versionstr[];

int init_module(int argc, char *argv[]);

/* Structure layouts change between releases and slapd itself compares no versions (measured: a
 * module made for 2.5 loaded into 2.6 without a word), so we do. */
static bool version_fits(void)
{
	static const char wanted[] = "slapd " B2B_SLAPD_VERSION " ";

	if (strstr(Versionstr, wanted))
		return true;
	Debug(LDAP_DEBUG_ANY,
	      "b2b: built for %s, but this server is \"%s\": build slapo-b2b against it\n",
	      "slapd " B2B_SLAPD_VERSION, Versionstr);
	return false;
}

__attribute__((visibility("default"))) int init_module(int argc, char *argv[])
{
	if (!version_fits())
		return 1;
	if (b2b_map_register_schema() || b2b_totp_register() || b2b_exop_register() ||
	    b2b_later_register() || b2b_control_register() || b2b_gate_register())
		return 1;
	return b2b_tenant_register();
}
