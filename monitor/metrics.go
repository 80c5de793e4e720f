package monitor

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Family is one metric and where its values come from.
type Family struct {
	Name   string
	Type   string // "counter", "gauge" or "histogram"
	Labels []string
	Help   string

	values    func(s *Sample, put func(value float64, labels ...string))
	histogram func(s *Sample) (h distribution, ok bool)
}

// Families returns all metrics of the server's own, in the order of the documentation.
func Families() []Family { return append([]Family(nil), families...) }

// collector makes the metrics of a Sample at each scrape.
type collector struct {
	source Source
	events *EventCounter
	descs  []*prometheus.Desc // of families
	logs   *prometheus.Desc
	build  prometheus.Metric
}

// Names of the metrics that do not come out of a Sample.
const (
	logEventsName = "deepstream_log_events_total"
	buildInfoName = "deepstream_build_info"
)

// NewRegistry returns a registry with the metrics of source, the counts of log events, and those of the
// Go runtime and the process.
func NewRegistry(source Source, events *EventCounter) *prometheus.Registry {
	c := &collector{source: source, events: events}
	for i := range families {
		f := &families[i]
		c.descs = append(c.descs, prometheus.NewDesc(f.Name, f.Help, f.Labels, nil))
	}
	c.logs = prometheus.NewDesc(logEventsName, logEventsHelp, []string{"level", "event"}, nil)
	version, revision := buildOf()
	c.build = prometheus.MustNewConstMetric(
		prometheus.NewDesc(buildInfoName, buildInfoHelp, []string{"version", "revision", "goversion"}, nil),
		prometheus.GaugeValue, 1, version, revision, runtime.Version())
	r := prometheus.NewRegistry()
	r.MustRegister(c,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

const (
	logEventsHelp = "Warnings and errors logged, whether or not the log level let them through. Events have the names of the official server."
	buildInfoHelp = "Version of the program; always 1."
)

// buildOf returns what the linker has noted about this program.
func buildOf() (version, revision string) {
	version, revision = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return version, revision
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
	descs <- c.logs
	descs <- c.build.Desc()
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.source()
	for i := range families {
		families[i].collect(c.descs[i], s, metrics)
	}
	for _, e := range c.events.Events() {
		metrics <- prometheus.MustNewConstMetric(c.logs, prometheus.CounterValue, float64(e.Count), e.Level, e.Name)
	}
	metrics <- c.build
}

// collect makes the metrics of one family.
func (f *Family) collect(desc *prometheus.Desc, s *Sample, metrics chan<- prometheus.Metric) {
	if f.histogram != nil {
		if h, ok := f.histogram(s); ok {
			metrics <- prometheus.MustNewConstHistogram(desc, h.count, h.sum, h.buckets)
		}
		return
	}
	kind := prometheus.GaugeValue
	if f.Type == typeCounter {
		kind = prometheus.CounterValue
	}
	f.values(s, func(value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	})
}
