package server

import (
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"deepstream-fast/config"
	"deepstream-fast/permission"
	"deepstream-fast/permission/valve"
)

// permissions are the rules of a running server.
type permissions struct {
	log     *slog.Logger                  // constant
	checker atomic.Pointer[valve.Checker] // in force; set by Start, then by the Reloader
}

// openPermissions reads the rules that cfg asks for. It returns nil if everything is allowed.
func openPermissions(cfg *config.Config, log *slog.Logger) (*permissions, error) {
	if cfg.Permission.Type == "none" {
		return nil, nil
	}
	p := &permissions{log: log}
	rules, warnings, err := loadRules(cfg)
	if err != nil {
		return nil, err
	}
	p.warn(warnings)
	p.checker.Store(valve.New(rules, valve.Options{RoundsMax: cfg.Permission.Options.MaxRuleIterations, Log: log}))
	return p, nil
}

// rulesBytesMax bounds a permission file. The configuration, which loads it too, takes no larger one.
const rulesBytesMax = 16 << 20

// loadRules reads and compiles the rules of cfg. An error names file, line and column.
func loadRules(cfg *config.Config) (*valve.Rules, []valve.Problem, error) {
	doc := cfg.Permission.Options.Permissions
	src := valve.Source{File: doc.File, Env: os.LookupEnv}
	if src.File == "" { // they stand in the configuration itself
		src.File, src.Section = cfg.File, []string{"permission", "options", "permissions"}
	}
	var err error
	if src.Text, err = config.ReadFile(src.File, rulesBytesMax); err != nil {
		return nil, nil, fmt.Errorf("server: permission.options.permissions: %w", err)
	}
	rules, warnings, err := valve.Load(src)
	if err != nil {
		return nil, nil, fmt.Errorf("server: permission.options.permissions: %w", err)
	}
	return rules, warnings, nil
}

func (p *permissions) warn(warnings []valve.Problem) {
	for _, w := range warnings {
		p.log.Warn(w.Error(), eventKey, "INVALID_CONFIG_DATA", namespaceKey, "PERMISSION")
	}
}

// rules returns what decides; nil allows everything.
func (p *permissions) rules() permission.Checker {
	if p == nil {
		return nil
	}
	return p.checker.Load()
}

// stats returns the current numbers, nil if there are no rules.
func (p *permissions) stats() *valve.Stats {
	if p == nil {
		return nil
	}
	s := p.checker.Load().Stats()
	return &s
}

// permissionPart is how rules are reloaded. Subscriptions are judged again by the new ones.
func (s *Server) permissionPart() part {
	return part{
		name: "permission rules", keys: []string{"permission.options.permissions", "permission.options.watch"},
		watched: func(c *config.Config) bool { return c.Permission.Options.Watch },
		prepare: func(next *config.Config) (func(), error) {
			rules, warnings, err := loadRules(next)
			if err != nil {
				return nil, err
			}
			return func() {
				s.rules.warn(warnings)
				checker := s.rules.checker.Load().With(rules)
				s.rules.checker.Store(checker)
				s.node.UsePermission(checker)
			}, nil
		},
	}
}
