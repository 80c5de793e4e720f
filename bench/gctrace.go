package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Collection is one line that a Go server prints under GODEBUG=gctrace=1.
type Collection struct {
	Number int
	CPU    time.Duration // all phases: stop-the-world, assists, background and idle marking
	Assist time.Duration // CPU of marking by goroutines that allocate
	Pause  time.Duration // the longer of the two times that nothing else ran
	Heap   int64         // bytes marked live, to the MiB the line gives
}

// lastCollection returns the last complete trace line in stderr. ok is false if there is none.
// Source: the runtime package's documentation of gctrace.
func lastCollection(stderr string) (c Collection, ok bool) {
	for line := range strings.Lines(stderr) {
		if parsed, err := parseCollection(line); err == nil {
			c, ok = parsed, true
		}
	}
	return c, ok
}

// parseCollection reads "gc 7 @0.1s 1%: … ms clock, 0.1+0.2/0.3/0.4+0.5 ms cpu, 4->5->2 MB, …".
func parseCollection(line string) (Collection, error) {
	var c Collection
	if _, err := fmt.Sscanf(line, "gc %d @", &c.Number); err != nil {
		return c, err
	}
	clock, cpu, heap := "", "", ""
	for part := range strings.SplitSeq(line, ", ") {
		if _, v, ok := strings.Cut(part, ": "); ok {
			part = v
		}
		if v, ok := strings.CutSuffix(part, " ms clock"); ok {
			clock = v
		}
		if v, ok := strings.CutSuffix(part, " ms cpu"); ok {
			cpu = v
		}
		if v, ok := strings.CutSuffix(part, " MB"); ok && strings.Count(v, "->") == 2 {
			heap = v[strings.LastIndex(v, ">")+1:]
		}
	}
	clocks, err := milliseconds(clock)
	if err != nil || len(clocks) != 3 {
		return c, fmt.Errorf("bench: clock of a collection: %q", clock)
	}
	c.Pause = max(clocks[0], clocks[2])
	cpus, err := milliseconds(cpu)
	if err != nil || len(cpus) != 5 {
		return c, fmt.Errorf("bench: CPU of a collection: %q", cpu)
	}
	for _, d := range cpus {
		c.CPU += d
	}
	c.Assist = cpus[1]
	mib, err := strconv.Atoi(heap)
	c.Heap = int64(mib) << 20
	return c, err
}

// milliseconds reads the phases of a collection, such as "0.1+0.2/0.3/0.4+0.5".
func milliseconds(phases string) (all []time.Duration, err error) {
	for phase := range strings.FieldsFuncSeq(phases, func(r rune) bool { return r == '+' || r == '/' }) {
		ms, err := strconv.ParseFloat(phase, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, time.Duration(ms*float64(time.Millisecond)))
	}
	return all, nil
}
