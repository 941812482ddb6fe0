/*
 * text_net.c - addresses and networks of either family.
 * In: "192.0.2.0/24", "2001:db8::1" as they stand in the directory or come from slapd.
 * Out: struct b2b_addr and struct b2b_cidr, and whether one is in the other.
 */
#include "text.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

/* Copies to a buffer that ends in NUL; false if it does not fit or has a NUL of its own. */
static bool copy_text(struct b2b_str value, char *text_r, size_t text_bytes)
{
	if (value.len == 0 || value.len >= text_bytes || memchr(value.s, '\0', value.len))
		return false;
	memcpy(text_r, value.s, value.len);
	text_r[value.len] = '\0';
	return true;
}

static enum b2b_err parse_addr(struct b2b_str value, struct b2b_addr *addr_r, bool *v4_r)
{
	struct b2b_addr addr = { { 0 }, true };
	char text[INET6_ADDRSTRLEN];

	if (!copy_text(value, text, sizeof text))
		return B2B_ERR_INVALID;
	*v4_r = inet_pton(AF_INET, text, addr.bytes + 12) == 1;
	if (*v4_r)
		addr.bytes[10] = addr.bytes[11] = 0xff;
	else if (inet_pton(AF_INET6, text, addr.bytes) != 1)
		return B2B_ERR_INVALID;
	*addr_r = addr;
	return B2B_OK;
}

enum b2b_err b2b_addr_parse(struct b2b_str value, struct b2b_addr *addr_r)
{
	bool v4;

	return parse_addr(value, addr_r, &v4);
}

static bool has_host_bits(const struct b2b_cidr *cidr)
{
	for (unsigned bit = cidr->prefix_bits; bit < 128; bit++)
		if (cidr->net.bytes[bit / 8] & (0x80u >> bit % 8))
			return true;
	return false;
}

enum b2b_err b2b_cidr_parse(struct b2b_str value, struct b2b_cidr *cidr_r)
{
	const char *slash = value.len ? memchr(value.s, '/', value.len) : NULL;
	struct b2b_str net = value, bits;
	struct b2b_cidr cidr = { { { 0 }, false }, 128 };
	bool v4;

	if (slash)
		net.len = (size_t)(slash - value.s);
	if (parse_addr(net, &cidr.net, &v4) != B2B_OK)
		return B2B_ERR_INVALID;
	if (slash) {
		bits.s = slash + 1;
		bits.len = value.len - net.len - 1;
		if (b2b_number_parse(bits, 0, v4 ? 32 : 128, &cidr.prefix_bits) != B2B_OK)
			return B2B_ERR_INVALID;
		cidr.prefix_bits += v4 ? 96u : 0u;
	}
	if (has_host_bits(&cidr))
		return B2B_ERR_INVALID;
	*cidr_r = cidr;
	return B2B_OK;
}

/* How two half addresses differ, the first bit the highest. */
static uint64_t difference(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return be64toh(x ^ y);
}

bool b2b_cidr_contains(const struct b2b_cidr *cidr, const struct b2b_addr *addr)
{
	const uint8_t *net = cidr->net.bytes;
	unsigned bits = cidr->prefix_bits;
	uint64_t first = difference(net, addr->bytes);

	if (!cidr->net.set || !addr->set || bits > 128)
		return false;
	if (bits <= 64)
		return bits == 0 || first >> (64 - bits) == 0;
	return first == 0 && difference(net + 8, addr->bytes + 8) >> (128 - bits) == 0;
}
