package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Versus prints what was measured as Markdown, one row per load: the value of Base, and how everybody else
// relates to it. A rival's column is its value ÷ Base's: above 1, Base took less. A floor's is Base's value ÷ the
// floor's: what Base is above the cheapest there is. Values are medians over the runs, with the lowest and the
// highest in brackets; a ratio is one of values of the same run, so that drift of the machine cancels out.
type Versus struct {
	Title  string // of the first column
	Value  string // what Base's column shows, with its unit
	Digits int    // of Base's values
	Given  string // title of a column of numbers that belong to a row and nobody; empty: none
	Base   string
	Floors []string // contestants that Base is divided by
	Others []string // contestants that are divided by Base

	rows []versusRow
}

type versusRow struct {
	name  string
	given []float64
	turns map[string][]float64 // by contestant, the i-th of all were taken in one run; NaN: nothing came of it
	kept  map[string][]float64 // by contestant: shares of the load that it kept up with
	busy  map[string][]float64 // by contestant: shares of its CPU that it used meanwhile
}

// Add appends what contestant took under one load. In each run every contestant gets one Add, Fail or Behind.
func (v *Versus) Add(load, contestant string, value float64) {
	r := v.row(load)
	r.turns[contestant] = append(r.turns[contestant], value)
}

// Fail notes that contestant came to nothing under a load.
func (v *Versus) Fail(load, contestant string) { v.Add(load, contestant, math.NaN()) }

// Behind notes that contestant kept up with a share of the load only, so that its value means nothing, and the
// share of its CPU that it used: one that was hardly busy was held up by something else.
func (v *Versus) Behind(load, contestant string, share, busy float64) {
	v.Fail(load, contestant)
	r := v.row(load)
	r.kept[contestant] = append(r.kept[contestant], share)
	r.busy[contestant] = append(r.busy[contestant], busy)
}

// Give appends a number that belongs to a load.
func (v *Versus) Give(load string, number float64) {
	r := v.row(load)
	r.given = append(r.given, number)
}

// row returns the row of a load, valid until the next call.
func (v *Versus) row(load string) *versusRow {
	i := slices.IndexFunc(v.rows, func(r versusRow) bool { return r.name == load })
	if i < 0 {
		i = len(v.rows)
		v.rows = append(v.rows, versusRow{name: load, turns: map[string][]float64{}, kept: map[string][]float64{}, busy: map[string][]float64{}})
	}
	return &v.rows[i]
}

// Write prints the table, unless it is empty.
func (v *Versus) Write(w io.Writer) error {
	if len(v.rows) == 0 {
		return nil
	}
	head := []string{v.Title}
	if v.Given != "" {
		head = append(head, v.Given)
	}
	head = append(head, v.Base+" "+v.Value)
	for _, name := range v.Floors {
		head = append(head, v.Base+" ÷ "+name)
	}
	for _, name := range v.Others {
		head = append(head, name+" ÷ "+v.Base)
	}
	lines := []string{tableLine(head), "|" + strings.Repeat("---|", len(head))}
	for i := range v.rows {
		lines = append(lines, tableLine(v.cells(&v.rows[i])))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func (v *Versus) cells(r *versusRow) []string {
	cells := []string{r.name}
	if v.Given != "" {
		cells = append(cells, spreadKnown(r.given, 0))
	}
	base := r.turns[v.Base]
	cells = append(cells, r.cell(v.Base, base, v.Digits))
	for _, name := range v.Floors {
		cells = append(cells, r.cell(name, quotients(base, r.turns[name]), 2))
	}
	for _, name := range v.Others {
		cells = append(cells, r.cell(name, quotients(r.turns[name], base), 2))
	}
	return cells
}

// cell shows values of contestant, and what kept it from having more of them.
func (r *versusRow) cell(contestant string, values []float64, digits int) string {
	var parts []string
	if s := spreadKnown(values, digits); s != "" {
		parts = append(parts, s)
	}
	kept := r.kept[contestant]
	if len(kept) > 0 {
		parts = append(parts, fmt.Sprintf("%d× behind, at %.0f %%, CPU %.0f %% busy", len(kept), 100*median(kept), 100*median(r.busy[contestant])))
	}
	missing := len(r.turns[contestant]) - len(known(r.turns[contestant])) - len(kept)
	if missing > 0 {
		parts = append(parts, fmt.Sprintf("%d× failed", missing))
	}
	return strings.Join(parts, "; ")
}

// quotients divides a by b, place by place, as far as both go.
func quotients(a, b []float64) (out []float64) {
	for i := range min(len(a), len(b)) {
		out = append(out, a[i]/b[i])
	}
	return out
}

// known returns what is a number in v.
func known(v []float64) []float64 { return slices.DeleteFunc(slices.Clone(v), math.IsNaN) }

// spreadKnown is spread of what is a number in v; empty if nothing is.
func spreadKnown(v []float64, digits int) string {
	if v = known(v); len(v) == 0 {
		return ""
	}
	return spread(v, digits)
}
