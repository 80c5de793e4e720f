package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Table collects samples and prints them as Markdown: one row per load, one column per server.
type Table struct {
	Servers []Server
	rows    []row
}

type row struct {
	mode        Mode
	subscribers int
	samples     map[Server][]Sample // of one row, the i-th samples of all servers were taken together
}

// Add appends a sample of c.
func (t *Table) Add(c Case, s Sample) {
	i := slices.IndexFunc(t.rows, func(r row) bool { return r.mode == c.Mode && r.subscribers == c.Subscribers })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, row{mode: c.Mode, subscribers: c.Subscribers, samples: map[Server][]Sample{}})
	}
	t.rows[i].samples[c.Server] = append(t.rows[i].samples[c.Server], s)
}

// Write prints the table. CPU is the median with the lowest and highest in brackets. A ratio is the
// median over the runs of the ratio within one run, so that drift of the machine cancels out.
func (t *Table) Write(w io.Writer) error {
	head := []string{"load", "subscribers"}
	for _, s := range t.Servers {
		head = append(head, string(s)+" CPU µs/delivery")
	}
	ratios := t.ratios()
	for _, over := range ratios {
		head = append(head, fmt.Sprintf("%s / %s", Fast, over))
	}
	for _, s := range t.Servers {
		head = append(head, string(s)+" p99 µs", string(s)+" k deliveries/s")
	}
	lines := []string{tableLine(head), "|" + strings.Repeat("---|", len(head))}
	for _, r := range t.rows {
		cells := []string{string(r.mode), fmt.Sprint(r.subscribers)}
		for _, s := range t.Servers {
			cpu := column(r.samples[s], func(s Sample) float64 { return s.CPU / 1e3 })
			cells = append(cells, fmt.Sprintf("%.3f (%.3f–%.3f)", median(cpu), slices.Min(cpu), slices.Max(cpu)))
		}
		for _, over := range ratios {
			cells = append(cells, fmt.Sprintf("%.2f", median(r.ratio(over))))
		}
		for _, s := range t.Servers {
			p99 := column(r.samples[s], func(s Sample) float64 { return float64(s.P99.Microseconds()) })
			rate := column(r.samples[s], func(s Sample) float64 { return s.PerSecond / 1e3 })
			cells = append(cells, fmt.Sprintf("%.0f", median(p99)), fmt.Sprintf("%.0f", median(rate)))
		}
		lines = append(lines, tableLine(cells))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// ratios returns the floors that our server is compared with.
func (t *Table) ratios() []Server {
	if !slices.Contains(t.Servers, Fast) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.Servers), func(s Server) bool { return s == Fast })
}

func (r row) ratio(over Server) []float64 {
	var out []float64
	for i, s := range r.samples[Fast] {
		out = append(out, s.CPU/r.samples[over][i].CPU)
	}
	return out
}

func column(samples []Sample, pick func(Sample) float64) []float64 {
	var out []float64
	for _, s := range samples {
		out = append(out, pick(s))
	}
	return out
}

// median returns the middle of v, which is not empty.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}

func tableLine(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
