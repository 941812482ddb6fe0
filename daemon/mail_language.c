/*
 * mail_language.c - which languages somebody reads, the dearest first.
 * In: preferredLanguage as it stands in an entry (RFC 3282, 2).
 * Out: tags in lower case, by their weights.
 */
#include "mail_make.h"

#include "../overlay/core/text.h"

#include <string.h>

static bool is_tag_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool read_tag(struct b2b_str item, char tag_r[MAIL_TAG_SIZE])
{
	if (item.len == 0 || item.len >= MAIL_TAG_SIZE)
		return false;
	for (size_t i = 0; i < item.len; i++) {
		tag_r[i] = b2b_lower(item.s[i]);
		if (!is_tag_char(tag_r[i]))
			return false;
	}
	tag_r[item.len] = '\0';
	return tag_r[0] != '-';
}

/* "q=0.7": three digits at most behind the point */
static bool read_weight(struct b2b_str text, unsigned *thousandths_r)
{
	unsigned weight, factor = 100;

	if (text.len < 3 || b2b_lower(text.s[0]) != 'q' || text.s[1] != '=' || text.len > 7 ||
	    (text.s[2] != '0' && text.s[2] != '1'))
		return false;
	weight = text.s[2] == '1' ? 1000 : 0;
	if (text.len > 3 && text.s[3] != '.')
		return false;
	for (size_t i = 4; i < text.len; i++, factor /= 10) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return false;
		weight += (unsigned)(text.s[i] - '0') * factor;
	}
	*thousandths_r = weight;
	return weight <= 1000;
}

static struct b2b_str trim(const char *s, size_t len)
{
	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	return (struct b2b_str){ s, len };
}

static void put(struct mail_languages *languages, const struct mail_wish *wish)
{
	size_t at = languages->count;

	if (at == MAIL_LANGUAGES_MAX)
		return;
	while (at > 0 && languages->list[at - 1].thousandths < wish->thousandths) {
		languages->list[at] = languages->list[at - 1];
		at--;
	}
	languages->list[at] = *wish;
	languages->count++;
}

void mail_languages_read(const char *text, struct mail_languages *languages_r)
{
	languages_r->count = 0;
	while (text && *text) {
		size_t len = strcspn(text, ",");
		const char *weight = memchr(text, ';', len);
		struct mail_wish wish = { .thousandths = 1000 };
		bool good = read_tag(trim(text, weight ? (size_t)(weight - text) : len), wish.tag);

		if (weight)
			good = good &&
			       read_weight(trim(weight + 1, len - (size_t)(weight - text) - 1),
					   &wish.thousandths);
		if (good && wish.thousandths > 0)
			put(languages_r, &wish);
		text += len;
		text += *text == ',';
	}
}

bool mail_language_shorten(char tag[MAIL_TAG_SIZE])
{
	char *dash = strrchr(tag, '-');

	if (!dash)
		return false;
	*dash = '\0';
	/* "zh-x-private" has no "zh-x" */
	if (dash - tag >= 2 && dash[-2] == '-')
		dash[-2] = '\0';
	return *tag != '\0';
}
