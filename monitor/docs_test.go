package monitor

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"
)

var rewrite = flag.Bool("rewrite", false, "write the table of metrics into the documentation")

const (
	guideFile  = "../docs/monitoring.md"
	tableStart = "<!-- metrics: written by go test ./monitor -run Documented -args -rewrite -->\n"
	tableEnd   = "<!-- end of metrics -->\n"
)

// TestMetricsAreDocumented compares the table of the guide with the families.
func TestMetricsAreDocumented(t *testing.T) {
	data, err := os.ReadFile(guideFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableStart)
	table, after, closed := strings.Cut(rest, tableEnd)
	if !ok || !closed {
		t.Fatalf("%s has no marks for the table", guideFile)
	}
	want := metricsTable()
	if table == want {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is out of date; run: go test ./monitor -run Documented -args -rewrite", guideFile)
	}
	if err := os.WriteFile(guideFile, []byte(before+tableStart+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func metricsTable() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	row := func(name, typ string, labels []string, help string) {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, typ, strings.Join(labels, ", "), help)
	}
	for _, f := range Families() {
		row(f.Name, f.Type, f.Labels, f.Help)
	}
	row(logEventsName, typeCounter, []string{"level", "event"}, logEventsHelp)
	row(buildInfoName, typeGauge, []string{"version", "revision", "goversion"}, buildInfoHelp)
	return b.String()
}

// known returns the labels of every series that a server has, by name. Prometheus adds two of its own.
func known(t *testing.T) map[string][]string {
	t.Helper()
	gathered, err := NewRegistry(always(fullSample()), counterOf("AUTH_ERROR")).Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string][]string{"up": {"instance", "job"}}
	add := func(name string, labels ...string) {
		series[name] = append(labels, "instance", "job")
	}
	for _, f := range Families() { // those without a value in the sample included
		add(f.Name, f.Labels...)
	}
	for _, g := range gathered {
		var labels []string
		for _, l := range g.Metric[0].Label {
			labels = append(labels, l.GetName())
		}
		switch name := g.GetName(); g.GetType() {
		case dto.MetricType_HISTOGRAM:
			delete(series, name)
			add(name+"_bucket", append(labels, "le")...)
			add(name+"_sum", labels...)
			add(name+"_count", labels...)
		case dto.MetricType_SUMMARY:
			add(name, append(labels, "quantile")...)
		default:
			add(name, labels...)
		}
	}
	return series
}

var (
	promText     = regexp.MustCompile(`"[^"]*"`)
	promRange    = regexp.MustCompile(`\[[^\]]*\]`)
	promGrouping = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	promSelector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}`)
	promWord     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	promName     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*(\s*\()?`)
)

// mistakes returns what a PromQL expression refers to and no server has.
func mistakes(expr string, series map[string][]string) []string {
	var wrong []string
	bare := promRange.ReplaceAllString(promText.ReplaceAllString(expr, ""), "")
	var groups, used []string
	for _, g := range promGrouping.FindAllStringSubmatch(bare, -1) {
		groups = append(groups, promWord.FindAllString(g[2], -1)...)
	}
	bare = promGrouping.ReplaceAllString(bare, "")
	for _, s := range promSelector.FindAllStringSubmatch(bare, -1) {
		for _, label := range promWord.FindAllString(s[2], -1) {
			if !slices.Contains(series[s[1]], label) {
				wrong = append(wrong, fmt.Sprintf("%s has no label %s", s[1], label))
			}
		}
	}
	bare = promSelector.ReplaceAllString(bare, "$1")
	for _, name := range promName.FindAllString(bare, -1) {
		if strings.HasSuffix(name, "(") || slices.Contains([]string{"and", "or", "unless", "bool"}, name) {
			continue
		}
		if used = append(used, name); series[name] == nil {
			wrong = append(wrong, "there is no "+name)
		}
	}
	for _, label := range groups {
		for _, name := range used {
			if series[name] != nil && !slices.Contains(series[name], label) {
				wrong = append(wrong, fmt.Sprintf("%s has no label %s to group by", name, label))
			}
		}
	}
	if len(used) == 0 {
		wrong = append(wrong, "no metric is used")
	}
	return wrong
}

// The check itself finds what it is for.
func TestMistakesAreFound(t *testing.T) {
	series := map[string][]string{"a_total": {"topic"}, "b": {"job"}}
	for expr, want := range map[string]int{
		`sum by (topic) (rate(a_total{topic=~"x"}[5m]))`: 0,
		`rate(a_total[5m]) / b > 0.5 and b`:              0,
		`sum by (le) (rate(a_total[5m]))`:                1,
		`rate(c_total[5m])`:                              1,
		`a_total{reason="x"} + b{topic="y"}`:             2,
		`vector(1)`:                                      1,
	} {
		if got := mistakes(expr, series); len(got) != want {
			t.Errorf("%s: %v, want %d", expr, got, want)
		}
	}
}

func TestDashboardUsesWhatExists(t *testing.T) {
	data, err := os.ReadFile("../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	series, ids, exprs := known(t), map[int]bool{}, 0
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q shows nothing, or is there twice", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			exprs++
			for _, m := range mistakes(strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"), series) {
				t.Errorf("panel %q: %s", p.Title, m)
			}
			for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !strings.Contains(target.Expr, "by (") && l[1] != "instance" || strings.Contains(target.Expr, "by (") && !strings.Contains(target.Expr, l[1]) {
					t.Errorf("panel %q: the legend %q has no %s", p.Title, target.LegendFormat, l[1])
				}
			}
		}
	}
	if exprs < 30 {
		t.Errorf("only %d expressions: are they still found?", exprs)
	}
	for _, v := range dashboard.Templating.List {
		if text := fmt.Sprint(v.Query); v.Name == "instance" && !strings.Contains(text, "label_values(deepstream_loops, instance)") {
			t.Errorf("variable %s: %s", v.Name, text)
		}
	}
}

func TestAlertsUseWhatExists(t *testing.T) {
	data, err := os.ReadFile("../docs/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(data, &rules); err != nil {
		t.Fatal(err)
	}
	series, n := known(t), 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			n++
			for _, m := range mistakes(r.Expr, series) {
				t.Errorf("%s: %s", r.Alert, m)
			}
			if r.Alert == "" || r.Annotations["summary"] == "" {
				t.Errorf("a rule without name or summary: %+v", r)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d rules: are they still found?", n)
	}
}
