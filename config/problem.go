package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"deepstream-fast/internal/doctree"
)

// problemsMax bounds a report; more would not be read.
const problemsMax = 100

// collectMax bounds the problems looked at to find the first problemsMax of them: positions are
// computed by scanning, and a file may be wrong everywhere.
const collectMax = 10 * problemsMax

// Problem is one mistake in a configuration, or one warning about it.
type Problem struct {
	File    string // as given on the command line; empty if the value did not come from a file
	Line    int    // from 1; 0 if unknown
	Column  int    // from 1, in characters; 0 if unknown
	Key     string // full path such as "connectionEndpoints[0].options.urlPath"; may be empty
	Message string // one line, names key, value and what is expected
	Source  string // the line as written

	unset  bool // about a variable that is not set
	secret bool // the line holds one: it is not shown
}

// Error returns the message with its position, then the line with a caret under the column.
func (p Problem) Error() string {
	if p.File == "" {
		return p.Message
	}
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	if p.secret {
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	}
	place := doctree.Place{Line: p.Line, Column: p.Column, Source: p.Source}
	return fmt.Sprintf("%s:%d:%d: %s\n%s", p.File, p.Line, p.Column, p.Message, place.Excerpt())
}

// Errors is every problem of a configuration: files in the order they were read, each by line.
type Errors []Problem

// Error returns all problems, one after the other.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, p := range e {
		parts[i] = p.Error()
	}
	return strings.Join(parts, "\n")
}

// Unwrap lets errors.As find a single Problem.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, p := range e {
		errs[i] = p
	}
	return errs
}

// report collects problems and warnings while a configuration is read.
type report struct {
	files    []string // in the order read, which is the order of the report
	problems []Problem
	warnings []Problem
	unset    map[lineOf]bool // lines whose text is a guess because a variable is unset
}

func newReport() *report { return &report{unset: map[lineOf]bool{}} }

type lineOf struct {
	file string
	line int
}

// full reports whether nothing more is collected.
func (r *report) full() bool { return len(r.problems)+len(r.warnings) >= collectMax }

func (r *report) add(p Problem)  { r.problems = append(r.problems, p) }
func (r *report) warn(p Problem) { r.warnings = append(r.warnings, p) }

// finish returns the warnings in order and the problems as an error, nil if there are none.
// A line with an unset variable keeps that problem only: what stood in for it proves nothing.
func (r *report) finish() ([]Problem, error) {
	kept := slices.DeleteFunc(r.problems, func(p Problem) bool {
		return r.unset[lineOf{p.File, p.Line}] && !p.unset
	})
	r.sort(kept)
	r.sort(r.warnings)
	r.warnings = r.warnings[:min(len(r.warnings), problemsMax)]
	if len(kept) == 0 {
		return r.warnings, nil
	}
	if more := len(kept) - problemsMax; more > 0 {
		kept = append(kept[:problemsMax], Problem{File: kept[0].File, Message: fmt.Sprintf("%d problems more are not shown", more)})
	}
	return nil, Errors(kept)
}

func (r *report) sort(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(r.files, a.File), slices.Index(r.files, b.File)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column))
	})
}

// quote shows s as a value in a message.
func quote(s string) string { return doctree.Quote(s) }

// quoteAll lists alternatives: "a", "b" or "c".
func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = quote(s)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}
