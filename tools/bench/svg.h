/* svg.h: two kinds of chart as inline SVG: values with intervals, and lines of points. */
#ifndef SLUICE_TOOLS_BENCH_SVG_H
#define SLUICE_TOOLS_BENCH_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Series take the style classes k0 to k7 of the page; more wrap round, as class "again". */
#define SVG_COLOURS 8

/* The median on an axis of nines: -log10(0.5). */
#define SVG_MEDIAN 0.30102999566398120

/* How numbers on an axis are written. */
enum svg_unit {
	SVG_DURATION, /* nanoseconds, logarithmic */
	SVG_RATE,     /* per second, linear from 0 */
	SVG_NINES,    /* -log10(1 - share): 1 is p90, 2 is p99 */
	SVG_BYTES,    /* a size, logarithmic */
};

/**
 * struct svg_frame - what surrounds a chart.
 *
 * @title, @about: read out by screen readers; @title is also shown.
 * @x_label, @y_label: of the axes.
 */
struct svg_frame {
	const char *title;
	const char *about;
	const char *x_label;
	const char *y_label;
	enum svg_unit x_unit;
	enum svg_unit y_unit;
};

/**
 * struct svg_value - a value with its interval.
 *
 * @best: drawn in the accent colour.
 */
struct svg_value {
	const char *name;
	double v, low, high;
	bool best;
};

/**
 * struct svg_point - a point of a line.
 *
 * @label: written beside it; "" for none.
 */
struct svg_point {
	double x, y;
	char label[8];
};

/**
 * struct svg_line - a named line through points in ascending order of drawing.
 */
struct svg_line {
	const char *name;
	struct svg_point point[16];
	size_t nr;
};

/**
 * svg_text - write text with the characters of markup escaped.
 * @out: the page.
 * @text: UTF-8.
 */
void svg_text(FILE *out, const char *text);

/**
 * svg_values - draw values with intervals, one below the other, on a logarithmic axis.
 * @out: the page.
 * @frame: @x_unit is SVG_DURATION.
 * @values: positive.
 * @nr: at least 1.
 */
void svg_values(FILE *out, const struct svg_frame *frame, const struct svg_value *values,
		size_t nr);

/**
 * svg_lines - draw lines and a legend.
 * @out: the page.
 * @frame: @y_unit is SVG_DURATION.
 * @lines: each with a point at least.
 * @nr: at least 1.
 * @left_out: how many others there are that are not drawn; the legend says so.
 */
void svg_lines(FILE *out, const struct svg_frame *frame, const struct svg_line *lines, size_t nr,
	       size_t left_out);

#endif
