/*
 * graph_parts.h - what the files of the Graph reader and writer share; private to graph_*.c.
 * In: graph.c reads documents, graph_entry.c one policy object, graph_review*.c access reviews,
 * graph_clean.c prepares the text.
 * Out: nothing beyond overlay/core/graph*.c.
 */
#ifndef B2B_GRAPH_PARTS_H
#define B2B_GRAPH_PARTS_H

#include "graph.h"
#include "policy.h"
#include "text.h"

#include <jansson.h>

/* The four settings: their name in Graph and the first of their four attributes. */
struct b2b_graph_setting {
	const char *name;
	enum b2b_attr users_access; /* then users target, applications access and target */
};
#define B2B_GRAPH_SETTINGS 4
extern const struct b2b_graph_setting b2b_graph_settings[B2B_GRAPH_SETTINGS];

#define B2B_GRAPH_ALL_USERS "AllUsers"
#define B2B_GRAPH_ALL_APPS "AllApplications"
#define B2B_GRAPH_VALUE_MAX 1024 /* bytes of a target, as in the schema */
#define B2B_GRAPH_TENANT_MAX 256

/* One users target of the entry at hand, to learn which of them are groups. */
struct b2b_graph_name {
	char *value;
	bool is_group;
};

struct b2b_graph_names {
	struct b2b_graph_name *items;
	size_t count, room;
};

/* What is known of the access review at hand; graph_review*.c. */
#define B2B_GRAPH_REVIEWERS_MAX 64
struct b2b_graph_people { /* values, on the heap; each once */
	char *values[B2B_GRAPH_REVIEWERS_MAX];
	size_t count;
};
struct b2b_graph_review {
	b2b_graph_map *map; /* or NULL */
	void *ctx;
	struct b2b_graph_people by, fallback;
	char group_id[128]; /* of the scope's group as the document has it; empty: none */
	bool has_group;     /* and it is known here */
	unsigned stage;     /* that is being read */
	unsigned days;      /* of a stage; 0: not said */
	bool enumerated;    /* there is an instanceEnumerationScope */
	bool has_stages, remind, owners;
};

/* State of one reading.  setting may be NULL; at is the JSON path of what is being read. */
struct b2b_graph_reader {
	struct b2b_graph *graph;
	const char *setting;
	struct b2b_error *error;
	struct b2b_graph_entry *entry; /* the entry being filled */
	struct b2b_graph_names users;  /* its users targets */
	bool users_touched;            /* a users half was set or removed */
	bool setting_used;
	char at[400];
	size_t at_len;
	struct b2b_graph_review *review; /* or NULL */
};

/*
 * Copies the text without byte order mark, with comments and trailing commas turned into blanks
 * (so that lines and columns stay).  Refuses more than B2B_GRAPH_MAX_BYTES, NUL bytes, nesting
 * beyond B2B_GRAPH_MAX_DEPTH.  *clean_r: caller frees.
 */
enum b2b_err b2b_graph_clean(const char *json, size_t json_bytes, char **clean_r,
			     size_t *clean_bytes_r, struct b2b_error *error);

/* The same, as JSON; NULL unless B2B_OK; caller: json_decref. */
enum b2b_err b2b_graph_parse(const char *json, size_t json_bytes, json_t **root_r,
			     struct b2b_error *error);

/* Walks the path: push returns what pop needs.  An index other than SIZE_MAX is a list's. */
size_t b2b_graph_push(struct b2b_graph_reader *reader, const char *member, size_t index);
void b2b_graph_pop(struct b2b_graph_reader *reader, size_t mark);

/* "<path>: <text>" as the error; returns B2B_ERR_INVALID. */
enum b2b_err b2b_graph_fail(struct b2b_graph_reader *reader, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "<path>: <text>" as a note. */
enum b2b_err b2b_graph_note(struct b2b_graph_reader *reader, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A member of a JSON object that is known; read NULL: it is known and means nothing to us. */
typedef enum b2b_err b2b_graph_member_fn(struct b2b_graph_reader *reader, json_t *value,
					 unsigned arg);
struct b2b_graph_member {
	const char *name;
	b2b_graph_member_fn *read;
	unsigned arg;
};

/* Gives each member of object to its row (at most 32 rows), whatever its case and the blanks
 * around it; refuses two members of one row; notes those that have no row. */
enum b2b_err b2b_graph_walk(struct b2b_graph_reader *reader, json_t *object,
			    const struct b2b_graph_member *rows, size_t row_count);
/* The member of that name, without regard to case and blanks, or NULL; borrowed. */
json_t *b2b_graph_get(json_t *object, const char *name);

/* Text without the blanks around it; borrowed. */
struct b2b_str b2b_graph_trim(const char *text, size_t bytes);
bool b2b_graph_is(struct b2b_str text, const char *name); /* equal without regard to case */
/* Not empty, not longer than max_bytes, no control characters. */
bool b2b_graph_is_value(struct b2b_str text, size_t max_bytes);

/* Appends an attribute with room for count values; NULL without memory. */
struct b2b_graph_value *b2b_graph_set(struct b2b_graph_entry *entry, enum b2b_attr attr,
				      size_t count);
/* Sets one text (copied), or removes the attribute (NULL). */
enum b2b_err b2b_graph_put(struct b2b_graph_entry *entry, enum b2b_attr attr, const char *text);

/* Adds an entry to the graph, which is then the one at hand. */
enum b2b_err b2b_graph_new_entry(struct b2b_graph_reader *reader);
/*
 * Reads one policy object into a new last entry of the graph.  need_tenant: it must say whose
 * policy it is.  Checks it with b2b_rule_compile.
 */
enum b2b_err b2b_graph_read_entry(struct b2b_graph_reader *reader, json_t *object,
				  bool need_tenant);
/* One half of a setting; arg is the enum b2b_attr of its Access. */
enum b2b_err b2b_graph_read_half(struct b2b_graph_reader *reader, json_t *value, unsigned arg);
/* Turns the users targets gathered so far into b2bGroupTarget. */
enum b2b_err b2b_graph_finish_groups(struct b2b_graph_reader *reader);
void b2b_graph_names_clear(struct b2b_graph_names *names);

/* Reads the members of object in the order of the rows, whatever theirs, as b2b_graph_walk does;
 * null is absent. */
enum b2b_err b2b_graph_read_rows(struct b2b_graph_reader *reader, json_t *object,
				 const struct b2b_graph_member *rows, size_t row_count);
/* A text without the blanks around it; false where it is none. */
bool b2b_graph_text(json_t *value, struct b2b_str *text_r);
/* What an access review is about (instanceEnumerationScope: arg 1; scope: arg 0). */
enum b2b_err b2b_graph_read_scope(struct b2b_graph_reader *reader, json_t *value, unsigned arg);
/* A list of who reviews (arg 0) or stands in (arg 1). */
enum b2b_err b2b_graph_read_reviewers(struct b2b_graph_reader *reader, json_t *value, unsigned arg);
/* "{stage}word" */
enum b2b_err b2b_graph_add_reviewer(struct b2b_graph_reader *reader, const char *word);
/* The settings of an access review, and what a stage has of them. */
enum b2b_err b2b_graph_read_settings(struct b2b_graph_reader *reader, json_t *value, unsigned arg);
enum b2b_err b2b_graph_read_duration(struct b2b_graph_reader *reader, json_t *value, unsigned arg);
enum b2b_err b2b_graph_read_recurrence(struct b2b_graph_reader *reader, json_t *value,
				       unsigned arg);
/* A whole number from 1 to most. */
enum b2b_err b2b_graph_number(struct b2b_graph_reader *reader, json_t *value, unsigned most,
			      unsigned *number_r);
/* An ISO 8601 duration in days, years having 365 and months 30, rounded up; false: it is none. */
bool b2b_graph_days_of(struct b2b_str text, unsigned *days_r);
enum b2b_err b2b_graph_put_number(struct b2b_graph_entry *entry, enum b2b_attr attr,
				  unsigned number);

#endif
