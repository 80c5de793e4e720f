package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"deepstream-fast/config"
	"deepstream-fast/permission"
	"deepstream-fast/permission/valve"
	"deepstream-fast/protocol"
)

// errDenied is returned by a command that has shown why something is denied: exit code 1. All other errors
// of the permission commands are codedErrors.
var errDenied = fmt.Errorf("denied: %w", errReported)

// codedError is an error with an exit code of its own.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

// exitCode returns what the process ends with after err.
func exitCode(err error) int {
	var coded codedError
	if errors.As(err, &coded) {
		return coded.code
	}
	return 1
}

func newPermission(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{Use: "permission", Short: "Look into the permission file", Args: cobra.NoArgs}
	cmd.AddCommand(newExplain(stdout))
	return cmd
}

// question is what explain is asked, as the command line says it.
type question struct {
	config, user, serverData, topic, action, name, path, data, oldData string
	create                                                             bool
	records                                                            []string
}

func newExplain(stdout io.Writer) *cobra.Command {
	f := question{}
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say whether a user may do something, which rule decides, and how it comes to that",
		Long: "Decides one question by the permission file that the configuration names, and shows how.\n" +
			"Records are those given on the command line; the data folder is not opened.\n" +
			"The exit code is 0 if it is allowed, 1 if it is denied, 2 if the question or the file is wrong.",
		Example: "  deepstream-fast permission explain -c conf.toml --user ann --topic record --action write \\\n" +
			"    --name orders/ann/1 --data '{\"total\":3}' --old-data '{\"state\":\"open\"}' --record 'products/7={\"price\":3}'",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, text, err := f.explain(cmd.Flags().Changed)
			if err != nil {
				return codedError{err, 2}
			}
			fmt.Fprint(stdout, text)
			if answer != permission.Allow {
				return errDenied
			}
			return nil
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return codedError{err, 2} })
	s := cmd.Flags()
	s.StringVarP(&f.config, "config", "c", "", "configuration file (.toml, .yml, .yaml or .json)")
	s.StringVar(&f.user, "user", "open", "id of the user")
	s.StringVar(&f.serverData, "server-data", "", "JSON that the login attached to the user")
	s.StringVar(&f.topic, "topic", "", "record, event, rpc or presence")
	s.StringVar(&f.action, "action", "", "a rule type, as in the permission file, or an action such as PATCH")
	s.StringVar(&f.name, "name", "", "name of the record, event or RPC, or a user; absent: none, as for all presence")
	s.StringVar(&f.path, "path", "", "path within the record, for PATCH and ERASE")
	s.StringVar(&f.data, "data", "", "JSON that is sent")
	s.StringVar(&f.oldData, "old-data", "", "JSON of the record, if it exists")
	s.BoolVar(&f.create, "create", false, "the write may create the record")
	s.StringArrayVar(&f.records, "record", nil, "NAME=JSON of a record that rules refer to; any number of times")
	return cmd
}

// explain answers; given tells which flags are there.
func (f *question) explain(given func(string) bool) (permission.Answer, string, error) {
	records, err := f.recordsByName(given)
	if err != nil {
		return permission.Deny, "", err
	}
	q, err := f.question(given)
	if err != nil {
		return permission.Deny, "", err
	}
	cfg, err := loadFor(f.config)
	if err != nil {
		return permission.Deny, "", err
	}
	rules, err := loadRules(cfg, f.config)
	if err != nil {
		return permission.Deny, "", err
	}
	e := valve.Explain(rules, q, valve.Options{RoundsMax: cfg.Permission.Options.MaxRuleIterations}, func(name string) ([]byte, bool) {
		data, ok := records[name]
		return data, ok
	})
	return e.Answer, e.String(), nil
}

// loadRules compiles the permission file of a configuration.
func loadRules(cfg *config.Config, configFile string) (*valve.Rules, error) {
	doc := cfg.Permission.Options.Permissions
	if doc.Value == nil {
		return nil, errors.New("the configuration has no permission.options.permissions")
	}
	src := valve.Source{File: doc.File, Env: os.LookupEnv}
	if src.File == "" {
		path, err := config.Find(configFile, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		src.File, src.Section = path, []string{"permission", "options", "permissions"}
	}
	var err error
	if src.Text, err = os.ReadFile(src.File); err != nil {
		return nil, err
	}
	rules, _, err := valve.Load(src)
	return rules, err
}

// question returns what the flags ask.
func (f *question) question(given func(string) bool) (*permission.Question, error) {
	topic, ok := protocol.TopicByName(strings.ToUpper(f.topic))
	if !ok {
		return nil, fmt.Errorf("--topic %q: expected record, event, rpc or presence", f.topic)
	}
	action, err := f.actionOf(topic)
	if err != nil {
		return nil, err
	}
	for flag, text := range map[string]string{"server-data": f.serverData, "data": f.data} {
		if given(flag) && !json.Valid([]byte(text)) {
			return nil, fmt.Errorf("--%s is not JSON", flag)
		}
	}
	q := &permission.Question{User: &permission.User{ID: f.user}, Topic: topic, Action: action, Create: f.create}
	for _, field := range []struct {
		flag, text string
		to         *[]byte
	}{{"server-data", f.serverData, &q.User.ServerData}, {"name", f.name, &q.Name}, {"path", f.path, &q.Path}, {"data", f.data, &q.Data}} {
		if given(field.flag) {
			*field.to = []byte(field.text)
		}
	}
	return q, nil
}

// ruleActions are the actions that stand for rule types, by topic.
var ruleActions = map[protocol.Topic]map[string]protocol.Action{
	protocol.TopicRecord: {
		"create": protocol.RecordCreate, "read": protocol.RecordRead, "write": protocol.RecordUpdate,
		"delete": protocol.RecordDelete, "listen": protocol.RecordListen, "notify": protocol.RecordNotify,
	},
	protocol.TopicEvent:    {"publish": protocol.EventEmit, "subscribe": protocol.EventSubscribe, "listen": protocol.EventListen},
	protocol.TopicRPC:      {"provide": protocol.RPCProvide, "request": protocol.RPCRequest},
	protocol.TopicPresence: {"allow": protocol.PresenceQuery},
}

// actionOf returns the action that --action names: a rule type, or an action of the protocol.
func (f *question) actionOf(topic protocol.Topic) (protocol.Action, error) {
	if topic == protocol.TopicRecord && f.action == "write" && f.path != "" {
		return protocol.RecordPatch, nil
	}
	if a, ok := ruleActions[topic][f.action]; ok {
		return a, nil
	}
	if a, ok := protocol.ActionByName(topic, strings.ToUpper(f.action)); ok && a.Known(topic) {
		return a, nil
	}
	types := ""
	for _, name := range []string{"create", "read", "write", "delete", "publish", "subscribe", "provide", "request", "allow", "listen", "notify"} {
		if _, ok := ruleActions[topic][name]; ok {
			types += name + ", "
		}
	}
	return 0, fmt.Errorf("--action %q: expected %sor an action of the protocol such as %s", f.action, types, anAction(topic))
}

// anAction returns the name of an action of topic, as an example.
func anAction(topic protocol.Topic) string {
	for _, name := range []string{"PATCH", "EMIT", "REQUEST", "QUERY"} {
		if _, ok := protocol.ActionByName(topic, name); ok {
			return name
		}
	}
	return "PING"
}

// recordsByName returns the records of the command line.
func (f *question) recordsByName(given func(string) bool) (map[string][]byte, error) {
	records := map[string][]byte{}
	for _, r := range f.records {
		name, text, ok := strings.Cut(r, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--record %q: expected NAME=JSON", r)
		}
		records[name] = []byte(text)
	}
	if given("old-data") {
		records[f.name] = []byte(f.oldData)
	}
	for name, data := range records {
		if !json.Valid(data) {
			return nil, fmt.Errorf("the content of the record %q is not JSON", name)
		}
	}
	return records, nil
}
