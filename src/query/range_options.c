/* The options of a range request: how to condense, what to leave out, how to hand out. */
#include <config.h>

#include "query/draft.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "query/agg.h"
#include "query/shown.h"
#include "query/when.h"

/* Points of a plot: more than that is no picture any more. */
#define POINTS_MAX 1000000

/* ---- words and durations ---- */

/* The words of a parameter, the default first, ended by NULL; the values are their places. */
static int read_word(const struct draft *draft, enum draft_name name, const char *const *words, int *ret_place,
                     struct err_text *error)
{
    const char *text = draft->single[name];
    struct buf list = {0};
    for (int i = 0; words[i]; i++) {
        if (!text || !strcmp(text, words[i])) {
            buf_free(&list);
            *ret_place = i;
            return 0;
        }
        buf_printf(&list, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
    int rc = list.failed ? ERR_NOMEM : err_set_field(error, ERR_INVALID, draft_name[name], "there is no %s \"%.64s\"; take %.*s",
                                                     draft_name[name], text, (int)list.n, (const char *)list.data);
    buf_free(&list);
    return rc;
}

/* A fixed duration of at least min_us; *ret_us stays as it is when none is given. */
static int read_duration(const struct draft *draft, enum draft_name name, int64_t min_us, int64_t *ret_us, struct err_text *error)
{
    const char *text = draft->single[name];
    struct duration duration;
    int64_t us;
    if (!text)
        return 0;
    if (civil_parse_duration(text, strlen(text), true, &duration) || civil_fixed_us(&duration, &us) || us < min_us)
        return err_set_field(error, ERR_INVALID, draft_name[name],
                             "\"%.64s\" is no %s; take a fixed duration %s such as PT45M, PT24H or 15m", text, draft_name[name],
                             min_us ? "above zero" : "from zero on");
    *ret_us = us;
    return 0;
}

/* ---- by step, or raw ---- */

static int read_step(const struct draft *draft, struct range *range, struct err_text *error)
{
    const char *text = draft->single[STEP];
    range->raw = !text || !strcmp(text, "raw");
    range->is_auto = text && !strcmp(text, "auto");
    if (range->raw)
        return 0;
    if (range->is_auto)
        return 0; /* draft_choose_step */
    if (civil_parse_duration(text, strlen(text), true, &range->step))
        return err_set_field(error, ERR_INVALID, "step", "\"%.64s\" is no step; take raw, auto, or a duration such as PT15M, P1D "
                             "or 15m", text);
    return grid_init(&range->grid, &range->step, range->zone, error);
}

static int read_aggs(const struct draft *draft, struct range *range, struct err_text *error)
{
    const struct draft_list *list = &draft->lists[AGG];
    if (list->n && range->raw)
        return err_set_field(error, ERR_INVALID, "agg", "raw readings are not aggregated; \"agg\" needs a step such as PT15M");
    for (size_t i = 0; i < list->n; i++) {
        enum agg agg;
        int rc = agg_parse(list->at[i], &agg, error);
        if (rc)
            return rc;
        for (size_t before = 0; before < i; before++)
            if (range->aggs[before] == agg)
                return err_set_field(error, ERR_INVALID, "agg", "\"%s\" is given twice", agg_name[agg]);
        range->aggs[range->n_aggs++] = agg; /* each once, so that they fit */
    }
    return 0;
}

static int read_points(const struct draft *draft, struct range *range, struct err_text *error)
{
    const char *text = draft->single[POINTS];
    if (text && !draft_number(text, 1, POINTS_MAX, &range->points))
        return err_set_field(error, ERR_INVALID, "points", "\"%.64s\" is no number of points; it is from 1 to %d", text,
                             POINTS_MAX);
    return 0;
}

static int read_quality(const struct draft *draft, struct range *range, struct err_text *error)
{
    const char *text = draft->single[QUALITY];
    range->has_quality = text;
    if (text && quality_parse(text, strlen(text), &range->quality))
        return err_set_field(error, ERR_INVALID, "quality", "there is no quality \"%.64s\"; take measured, edited, derived, "
                             "estimated or suspect", text);
    return 0;
}

static int read_unit(const struct draft *draft, struct range *range, struct err_text *error)
{
    const char *text = draft->single[UNIT];
    if (text && (!*text || strlen(text) >= sizeof(range->unit)))
        return err_set_field(error, ERR_INVALID, "unit", "\"%.64s\" is no unit; take one such as kWh, kW or degC", text);
    if (text) {
        memcpy(range->unit, text, strlen(text) + 1);
        shown_integral_text(text, range->integral_unit);
    }
    return 0;
}

static int read_knowledge(const struct draft *draft, int64_t now_us, struct range *range, struct err_text *error)
{
    range->asof_us = INT64_MAX;
    range->has_lead = draft->single[LEAD_MIN];
    int rc = read_duration(draft, LEAD_MIN, 0, &range->lead_min_us, error);
    if (!rc && draft->single[ASOF])
        rc = when_parse(draft->single[ASOF], "asof", now_us, range->zone, &range->asof_us, error);
    return rc;
}

static int read_words(const struct draft *draft, struct range *range, struct err_text *error)
{
    static const char *const fills[] = {[FILL_NULL] = "null", [FILL_NONE] = "none", [FILL_PREVIOUS] = "previous",
                                        [FILL_LINEAR] = "linear", NULL};
    static const char *const overs[] = {[OVER_NONE] = "none", [OVER_SUM] = "sum", [OVER_MEAN] = "mean", [OVER_MIN] = "min",
                                        [OVER_MAX] = "max", NULL};
    static const char *const bys[] = {[BY_NONE] = "none", [BY_TYPE] = "type", [BY_PROPERTY] = "property",
                                      [BY_LOCATION] = "location", [BY_BOARD] = "board", NULL};
    static const char *const reduces[] = {[REDUCE_NONE] = "none", [REDUCE_M4] = "m4", [REDUCE_MINMAX] = "minmax", NULL};
    static const char *const bounds[] = {"none", "outside", NULL}, *const layouts[] = {"long", "wide", NULL};
    static const char *const times[] = {[TIME_ISO] = "iso", [TIME_MS] = "ms", [TIME_LOCAL] = "local", NULL};
    static const char *const no_yes[] = {"0", "1", NULL};
    int fill, over, by, reduce, outside, layout, time, explain, available;
    const struct {
        enum draft_name name;
        const char *const *words;
        int *place;
    } all[] = {
        {FILL, fills, &fill}, {OVER, overs, &over}, {BY, bys, &by}, {REDUCE, reduces, &reduce}, {BOUNDS, bounds, &outside},
        {LAYOUT, layouts, &layout}, {TIME, times, &time}, {EXPLAIN, no_yes, &explain},
        {AVAILABLE, no_yes, &available},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        int rc = read_word(draft, all[i].name, all[i].words, all[i].place, error);
        if (rc)
            return rc;
    }
    range->fill = (enum fill)fill;
    range->over = (enum over)over;
    range->by = (enum by)by;
    range->reduce = (enum reduce)reduce;
    range->bounds = outside;
    range->wide = layout;
    range->time = (enum time_form)time;
    range->explain = explain;
    range->available = available;
    return 0;
}

/* ---- what does not go together ---- */

static int check_together(const struct draft *draft, const struct range *range, struct err_text *error)
{
    static const enum draft_name of_steps[] = {FILL, MAX_GAP, OVER, BY};
    bool is_filled = range->fill == FILL_PREVIOUS || range->fill == FILL_LINEAR; /* the others say how raw stands anyway */
    for (size_t i = is_filled ? 0 : 1; i < sizeof(of_steps) / sizeof(*of_steps) && range->raw; i++)
        if (draft->single[of_steps[i]])
            return err_set_field(error, ERR_INVALID, draft_name[of_steps[i]], "\"%s\" needs a step such as PT15M; raw readings "
                                 "stand as they are", draft_name[of_steps[i]]);
    if (range->raw && range->explain)
        return err_set_field(error, ERR_INVALID, "explain", "\"explain\" needs a step such as PT15M: it tells what each bucket "
                             "was made of");
    if (!range->raw && range->bounds)
        return err_set_field(error, ERR_INVALID, "bounds", "\"bounds\" goes with raw readings, without a step");
    if (!range->raw && range->reduce)
        return err_set_field(error, ERR_INVALID, "reduce", "\"reduce\" goes with raw readings, without a step; step=auto "
                             "condenses to a number of points, too");
    if (range->points && !range->reduce && !range->is_auto)
        return err_set_field(error, ERR_INVALID, "points", "\"points\" goes with reduce=m4, reduce=minmax or step=auto");
    if (range->reduce && !range->points)
        return err_set_field(error, ERR_INVALID, "points", "\"reduce\" needs \"points\", the width of the plot");
    if (range->is_auto && !range->points)
        return err_set_field(error, ERR_INVALID, "points", "the step \"auto\" needs \"points\", the number of rows wanted");
    if (range->available && (!range->raw || range->reduce || range->bounds || range->wide))
        return err_set_field(error, ERR_INVALID, "available", "\"available\" goes with raw readings, each in a row of its own: "
                             "without step, reduce, bounds and layout=wide");
    if (range->wide && (range->bounds || range->reduce))
        return err_set_field(error, ERR_MEANING, "layout", "\"%s\" chooses readings series by series; take layout=long with it",
                             range->bounds ? "bounds" : "reduce");
    if (range->wide && range->over)
        return err_set_field(error, ERR_MEANING, "layout", "series that are put together with \"over\" come in layout=long");
    bool has_places = range->by == BY_LOCATION || range->by == BY_BOARD; /* tell what they leave out */
    if (range->explain && (range->wide || (range->over && !has_places)))
        return err_set_field(error, ERR_MEANING, "explain", "what buckets were made of is told of single series, in layout=long");
    if (range->by && !range->over)
        return err_set_field(error, ERR_INVALID, "by", "\"by\" needs \"over\", what to make of the series of a group");
    return 0;
}

int draft_read_options(const struct draft *draft, int64_t now_us, struct range *range, struct err_text *error)
{
    int rc = read_step(draft, range, error);
    if (!rc)
        rc = read_aggs(draft, range, error);
    if (!rc)
        rc = read_words(draft, range, error);
    if (!rc)
        rc = read_duration(draft, MAX_GAP, 1, &range->max_gap_us, error);
    if (!rc)
        rc = read_points(draft, range, error);
    if (!rc)
        rc = read_quality(draft, range, error);
    if (!rc)
        rc = read_unit(draft, range, error);
    if (!rc)
        rc = read_knowledge(draft, now_us, range, error);
    return rc ? rc : check_together(draft, range, error);
}
