package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Comparison collects samples of several contestants under several loads and prints them as Markdown,
// one row per load and contestant. In each load the one named Base is what the others are related to.
type Comparison struct {
	Base string

	loads []comparedLoad
}

type comparedLoad struct {
	name        string
	contestants []string            // in the order of their turns
	samples     map[string][]Sample // the i-th samples of all were taken in one run
}

// Add appends a sample of one contestant under one load.
func (c *Comparison) Add(load, contestant string, s Sample) {
	i := slices.IndexFunc(c.loads, func(l comparedLoad) bool { return l.name == load })
	if i < 0 {
		i = len(c.loads)
		c.loads = append(c.loads, comparedLoad{name: load, samples: map[string][]Sample{}})
	}
	l := &c.loads[i]
	if _, ok := l.samples[contestant]; !ok {
		l.contestants = append(l.contestants, contestant)
	}
	l.samples[contestant] = append(l.samples[contestant], s)
}

// Write prints the table. Every value is the median over the runs, with the lowest and the highest in
// brackets; a ratio is one of samples of the same run, so that drift of the machine cancels out.
func (c *Comparison) Write(w io.Writer) error {
	lines := []string{
		tableLine([]string{
			"load", "contestant", "k op/s", "CPU µs/op", "CPU busy %", "p50 ms", "p99 ms",
			"op/s ÷ " + c.Base, "CPU/op ÷ " + c.Base,
		}),
		"|" + strings.Repeat("---|", 9),
	}
	for i := range c.loads {
		for _, name := range c.loads[i].contestants {
			lines = append(lines, tableLine(c.cells(&c.loads[i], name)))
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func (c *Comparison) cells(l *comparedLoad, name string) []string {
	own, base := l.samples[name], l.samples[c.Base]
	rate := func(s Sample) float64 { return s.PerSecond / 1e3 }
	cpu := func(s Sample) float64 { return s.CPU / 1e3 }
	cells := []string{
		l.name, name,
		spread(column(own, rate), 1),
		spread(column(own, cpu), 3),
		fmt.Sprintf("%.0f", median(column(own, func(s Sample) float64 { return 100 * s.Busy }))),
		spread(column(own, func(s Sample) float64 { return s.P50.Seconds() * 1e3 }), 2),
		spread(column(own, func(s Sample) float64 { return s.P99.Seconds() * 1e3 }), 2),
	}
	if name == c.Base || len(base) < len(own) {
		return append(cells, "", "")
	}
	return append(cells, spread(ratio(own, base, rate), 2), spread(ratio(own, base, cpu), 2))
}

// ratio relates what pick finds in own to what it finds in base, run by run.
func ratio(own, base []Sample, pick func(Sample) float64) []float64 {
	var out []float64
	for i := range own {
		out = append(out, pick(own[i])/pick(base[i]))
	}
	return out
}

// Spread formats the median of v, which is not empty, with its lowest and highest.
func Spread(v []float64, digits int) string { return spread(v, digits) }

// spread formats the median of v with its lowest and highest.
func spread(v []float64, digits int) string {
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, median(v), digits, slices.Min(v), digits, slices.Max(v))
}
