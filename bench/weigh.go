package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"deepstream-fast/bench/load"
)

// Weight is the resident memory that connections and subscriptions add to a server, in bytes of one.
type Weight struct {
	Conn, Subscription float64
}

// Weigh opens conns logged-in connections that say nothing, then subscribes each to names of its own, in
// one message.
func (r *Rig) Weigh(s Server, conns, names int) (Weight, error) {
	p, err := r.Start(s)
	if err != nil {
		return Weight{}, err
	}
	defer p.Stop()
	w, err := r.weigh(p, s, conns, names)
	if err != nil {
		return w, fmt.Errorf("bench: weigh %s: %w\n%s", s, err, p.Stderr())
	}
	return w, nil
}

func (r *Rig) weigh(p *Process, s Server, conns, names int) (w Weight, err error) {
	empty, err := p.RSS()
	if err != nil {
		return w, err
	}
	var open []*load.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for i := range conns {
		c, err := r.connect(s, p.Addr, i)
		if err != nil {
			return w, err
		}
		open = append(open, c)
	}
	idle, err := p.RSS()
	if err != nil {
		return w, err
	}
	for i, c := range open {
		if err := c.Subscribe(OwnNames(i, names)...); err != nil {
			return w, err
		}
	}
	full, err := p.RSS()
	return Weight{Conn: float64(idle-empty) / float64(conns), Subscription: float64(full-idle) / float64(conns*names)}, err
}

// OwnNames returns n names that only connection i has, of 20 bytes each for up to a million connections
// and a thousand names.
func OwnNames(i, n int) []string {
	names := make([]string, n)
	for j := range names {
		names[j] = fmt.Sprintf("bench/%06d/item%03d", i, j)
	}
	return names
}

// MemoryTable collects weights and prints them as Markdown, a row per server, related to the first.
type MemoryTable struct {
	servers []Server
	weights map[Server][]Weight // the i-th of all were taken in one run
}

// Add appends a weight of s.
func (t *MemoryTable) Add(s Server, w Weight) {
	if t.weights == nil {
		t.weights = map[Server][]Weight{}
	}
	if !slices.Contains(t.servers, s) {
		t.servers = append(t.servers, s)
	}
	t.weights[s] = append(t.weights[s], w)
}

// Write prints medians with the lowest and the highest in brackets; a ratio is of one run.
func (t *MemoryTable) Write(w io.Writer) error {
	if len(t.servers) == 0 {
		return nil
	}
	base := t.servers[0]
	lines := []string{
		tableLine([]string{"contestant", "RSS bytes/connection", "RSS bytes/subscription", "connection ÷ " + string(base), "subscription ÷ " + string(base)}),
		"|" + strings.Repeat("---|", 5),
	}
	conn := func(w Weight) float64 { return w.Conn }
	sub := func(w Weight) float64 { return w.Subscription }
	for _, s := range t.servers {
		cells := []string{string(s)}
		for _, pick := range []func(Weight) float64{conn, sub} {
			cells = append(cells, spread(picked(t.weights[s], pick), 0))
		}
		for _, pick := range []func(Weight) float64{conn, sub} {
			cells = append(cells, spread(quotients(picked(t.weights[s], pick), picked(t.weights[base], pick)), 2))
		}
		lines = append(lines, tableLine(cells))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

func picked(weights []Weight, pick func(Weight) float64) (out []float64) {
	for _, w := range weights {
		out = append(out, pick(w))
	}
	return out
}

// quotients divides a by b, place by place; b is no shorter.
func quotients(a, b []float64) (out []float64) {
	for i := range a {
		out = append(out, a[i]/b[i])
	}
	return out
}
