/*
 * svg.c: charts without a library: a few hundred bytes of markup each, no script.
 *
 * Colours are classes of the page's style sheet, so that one chart serves light and dark.
 */
#include <math.h>
#include <string.h>

#include "advice.h"
#include "plan.h"
#include "svg.h"

#define WIDTH	   640.0
#define LINES_HIGH 360.0
#define LEFT	   70.0
#define RIGHT	   20.0
#define TOP	   14.0
#define BOTTOM	   46.0
#define NAME_LEFT  230.0
#define ROW	   22.0
#define VALUE_WIDE 70.0
#define BYTES_STEP 4

/* A scale maps low..high to from..to pixels, perhaps by the logarithm. */
struct scale {
	double low, high, from, to;
	bool log;
	enum svg_unit unit;
};

static double place(const struct scale *s, double v)
{
	double share = s->log ? log(v / s->low) / log(s->high / s->low) :
				(v - s->low) / (s->high - s->low);

	return s->from + share * (s->to - s->from);
}

void svg_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static const char *value_text(enum svg_unit unit, double v, char *buf)
{
	if (unit == SVG_DURATION)
		return advice_duration(v, buf);
	if (unit == SVG_RATE)
		return advice_count(v, buf);
	if (unit == SVG_BYTES)
		return plan_bytes((uint64_t)(v + 0.5), buf);
	/* 1 nine is p90, 2 are p99, 3 are p99.9. */
	snprintf(buf, 24, "p%.7g", 100 - 100 * pow(10, -v));
	return buf;
}

static void open_chart(FILE *out, const struct svg_frame *frame, double height)
{
	fprintf(out, "<figure><figcaption>");
	svg_text(out, frame->title);
	fprintf(out, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\"><title>", WIDTH,
		height);
	svg_text(out, frame->title);
	fputs("</title><desc>", out);
	svg_text(out, frame->about);
	fputs("</desc>\n", out);
}

static void label(FILE *out, double x, double y, const char *class, const char *text)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	svg_text(out, text);
	fputs("</text>\n", out);
}

static void rule(FILE *out, double x1, double y1, double x2, double y2, const char *class)
{
	fprintf(out, "<path d=\"M%.1f %.1fL%.1f %.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class);
}

/* -- scales -------------------------------------------------------------------------------- */

/* Widened to the neighbouring 1, 2 or 5 of a decade. */
static double round_log(double v, bool up)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double decade;

	if (!(v > 0)) /* nothing was measured */
		return up ? 1 : 0.1;
	decade = pow(10, floor(log10(v)));
	for (int i = 0; i < 4; i++) {
		if (up && v <= decade * steps[i] * 1.0001)
			return decade * steps[i];
		if (!up && v < decade * steps[i] * 0.9999)
			return i ? decade * steps[i - 1] : decade / 2;
	}
	return decade * 10;
}

static void fit_log(struct scale *s, double low, double high)
{
	s->log = true;
	s->low = round_log(low, false);
	s->high = round_log(high, true);
	if (!(s->high > s->low))
		s->high = s->low * 10;
}

static double linear_step(double span)
{
	return round_log(span / 5, true);
}

static void fit_linear(struct scale *s, double high)
{
	double step = linear_step(high > 0 ? high : 1);

	s->log = false;
	s->low = 0;
	s->high = ceil(high / step * 0.9999) * step;
	if (!(s->high > 0))
		s->high = 1;
}

/* Calls @draw at each round value of a scale. */
static void ticks(FILE *out, const struct scale *s, const struct scale *other,
		  void (*draw)(FILE *out, const struct scale *s, const struct scale *other,
			       double v))
{
	static const double steps[] = { 1, 2, 5 };
	bool sparse = s->log && s->high / s->low > 2000;
	double step = s->unit == SVG_NINES ? 1 : linear_step(s->high);

	if (s->unit == SVG_BYTES) {
		for (double v = s->low; v <= s->high * 1.0001; v *= BYTES_STEP)
			draw(out, s, other, v);
		return;
	}
	if (!s->log) {
		for (double v = s->low; v <= s->high * 1.0001; v += step)
			draw(out, s, other, v);
		return;
	}
	for (double decade = pow(10, floor(log10(s->low * 1.0001))); decade <= s->high * 1.0001;
	     decade *= 10) {
		for (int i = 0; i < (sparse ? 1 : 3); i++) {
			double v = decade * steps[i];

			if (v >= s->low * 0.9999 && v <= s->high * 1.0001)
				draw(out, s, other, v);
		}
	}
}

static void tick_x(FILE *out, const struct scale *s, const struct scale *other, double v)
{
	char buf[24];
	double x = place(s, v);

	rule(out, x, other->from, x, other->to, "grid");
	label(out, x, other->from + 16, "tick mid", value_text(s->unit, v, buf));
}

static void tick_y(FILE *out, const struct scale *s, const struct scale *other, double v)
{
	char buf[24];
	double y = place(s, v);

	rule(out, other->from, y, other->to, y, "grid");
	label(out, other->from - 6, y + 4, "tick end", value_text(s->unit, v, buf));
}

/* -- values with intervals ----------------------------------------------------------------- */

static void value_row(FILE *out, const struct scale *x, const struct svg_value *v, double y)
{
	const char *class = v->best ? "dot best" : "dot";
	char buf[24], low[24], high[24];

	fprintf(out, "<g><title>");
	svg_text(out, v->name);
	fprintf(out, ": %s [%s to %s]</title>\n", advice_duration(v->v, buf),
		advice_duration(v->low, low), advice_duration(v->high, high));
	label(out, NAME_LEFT - 10, y + 4, v->best ? "name end strong" : "name end", v->name);
	rule(out, place(x, v->low), y, place(x, v->high), y, "whisker");
	rule(out, place(x, v->low), y - 4, place(x, v->low), y + 4, "whisker");
	rule(out, place(x, v->high), y - 4, place(x, v->high), y + 4, "whisker");
	fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" class=\"%s\"/>\n", place(x, v->v),
		y, class);
	label(out, WIDTH - 4, y + 4, "tick end", advice_duration(v->v, buf));
	fputs("</g>\n", out);
}

void svg_values(FILE *out, const struct svg_frame *frame, const struct svg_value *values, size_t nr)
{
	double height = TOP + (double)nr * ROW + BOTTOM, low = INFINITY, high = 0;
	struct scale x = { .from = NAME_LEFT,
			   .to = WIDTH - RIGHT - VALUE_WIDE,
			   .unit = frame->x_unit };
	struct scale y = { .from = height - BOTTOM, .to = TOP };

	for (size_t i = 0; i < nr; i++) {
		low = fmin(low, values[i].low);
		high = fmax(high, values[i].high);
	}
	fit_log(&x, low, high);
	open_chart(out, frame, height);
	ticks(out, &x, &y, tick_x);
	for (size_t i = 0; i < nr; i++)
		value_row(out, &x, &values[i], TOP + ((double)i + 0.5) * ROW);
	label(out, (x.from + x.to) / 2, height - 10, "axis mid", frame->x_label);
	fputs("</svg></figure>\n", out);
}

/* -- lines --------------------------------------------------------------------------------- */

static void one_line(FILE *out, const struct svg_frame *frame, const struct scale *x,
		     const struct scale *y, const struct svg_line *line, unsigned colour)
{
	char bx[24], by[24];

	fprintf(out, "<path d=\"");
	for (size_t i = 0; i < line->nr; i++)
		fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', place(x, line->point[i].x),
			place(y, line->point[i].y));
	fprintf(out, "\" class=\"line k%u%s\"/>\n", colour % SVG_COLOURS,
		colour < SVG_COLOURS ? "" : " again");
	for (size_t i = 0; i < line->nr; i++) {
		const struct svg_point *p = &line->point[i];

		fprintf(out,
			"<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"point k%u\"><title>",
			place(x, p->x), place(y, p->y), colour % SVG_COLOURS);
		svg_text(out, line->name);
		fprintf(out, ": %s, %s</title></circle>\n", value_text(frame->x_unit, p->x, bx),
			value_text(frame->y_unit, p->y, by));
		if (*p->label)
			label(out, place(x, p->x) + 6, place(y, p->y) - 5, "tick", p->label);
	}
}

static void legend(FILE *out, const struct svg_line *lines, size_t nr, size_t left_out)
{
	fputs("<ul class=\"legend\">", out);
	for (size_t i = 0; i < nr; i++) {
		fprintf(out, "<li><span class=\"swatch k%u%s\"></span>", (unsigned)i % SVG_COLOURS,
			i < SVG_COLOURS ? "" : " again");
		svg_text(out, lines[i].name);
		fputs("</li>", out);
	}
	if (left_out)
		fprintf(out, "<li>and %zu more, not drawn</li>", left_out);
	fputs("</ul>\n", out);
}

/* Steps from the least on: 1 KiB, 4 KiB, 16 KiB, ... */
static void fit_bytes(struct scale *s, double low, double high)
{
	s->log = true;
	s->low = low;
	for (s->high = low * BYTES_STEP; s->high < high * 0.9999;)
		s->high *= BYTES_STEP;
}

static void fit_lines(const struct svg_line *lines, size_t nr, struct scale *x, struct scale *y)
{
	double low = INFINITY, high = 0, right = 0, left = INFINITY;

	for (size_t i = 0; i < nr; i++) {
		for (size_t k = 0; k < lines[i].nr; k++) {
			low = fmin(low, lines[i].point[k].y);
			high = fmax(high, lines[i].point[k].y);
			right = fmax(right, lines[i].point[k].x);
			left = fmin(left, lines[i].point[k].x);
		}
	}
	fit_log(y, low, high);
	if (x->unit == SVG_NINES) {
		x->high = fmax(ceil(right * 0.9999), 1);
		x->low = 0;
	} else if (x->unit == SVG_BYTES) {
		fit_bytes(x, left, right);
	} else {
		fit_linear(x, right);
	}
}

void svg_lines(FILE *out, const struct svg_frame *frame, const struct svg_line *lines, size_t nr,
	       size_t left_out)
{
	struct scale x = { .from = LEFT, .to = WIDTH - RIGHT - 10, .unit = frame->x_unit };
	struct scale y = { .from = LINES_HIGH - BOTTOM, .to = TOP, .unit = frame->y_unit };

	fit_lines(lines, nr, &x, &y);
	open_chart(out, frame, LINES_HIGH);
	ticks(out, &x, &y, tick_x);
	ticks(out, &y, &x, tick_y);
	for (size_t i = 0; i < nr; i++)
		one_line(out, frame, &x, &y, &lines[i], (unsigned)i);
	label(out, (x.from + x.to) / 2, LINES_HIGH - 8, "axis mid", frame->x_label);
	fprintf(out, "<text transform=\"translate(14 %.0f) rotate(-90)\" class=\"axis mid\">",
		(y.from + y.to) / 2);
	svg_text(out, frame->y_label);
	fputs("</text>\n</svg>\n", out);
	legend(out, lines, nr, left_out);
	fputs("</figure>\n", out);
}
