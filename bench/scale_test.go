package bench

import (
	"strings"
	"testing"
	"time"

	"deepstream-fast/bench/load"
)

// The tools do what they print: everybody connects, subscribes and comes back, and few subscribers of many
// names get their own.
func TestScaleAndSparseSmall(t *testing.T) {
	rig, err := NewRig(false, Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	phases, err := rig.Scale(ScaleCase{Conns: 60, Subs: 600, Shared: 2})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range phases {
		names = append(names, p.Name)
		if p.RSS <= 0 || p.Peak < p.RSS {
			t.Errorf("%+v", p)
		}
	}
	if got := strings.Join(names, " "); got != "start connect subscribe storm" {
		t.Errorf("phases %s", got)
	}
	s, err := rig.MeasureSparse(Fast, load.SparseOptions{Conns: 40, Names: 10, Reach: 3, Window: 8}, 50*time.Millisecond)
	if err != nil || s.PerSecond <= 0 || s.CPU <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
	w, err := rig.Weigh(Fast, 50, 100)
	if err != nil || w.Subscription < 0 {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestScaleCaseIsChecked(t *testing.T) {
	for _, c := range []ScaleCase{{}, {Conns: 10, Subs: 9}, {Conns: 1, Subs: 1, Shared: -1}} {
		if c.validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestMemoryTable(t *testing.T) {
	var table MemoryTable
	for _, w := range []float64{100, 300, 200} {
		table.Add("ours", Weight{Conn: w, Subscription: w / 10})
		table.Add("theirs", Weight{Conn: 2 * w, Subscription: w})
	}
	var got strings.Builder
	if err := table.Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `| contestant | RSS bytes/connection | RSS bytes/subscription | connection ÷ ours | subscription ÷ ours |
|---|---|---|---|---|
| ours | 200 (100–300) | 20 (10–30) | 1.00 (1.00–1.00) | 1.00 (1.00–1.00) |
| theirs | 400 (200–600) | 200 (100–300) | 2.00 (2.00–2.00) | 10.00 (10.00–10.00) |
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
