package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"slices"
	"sync"

	"deepstream-fast/auth"
	"deepstream-fast/auth/file"
	"deepstream-fast/auth/jwt"
	"deepstream-fast/auth/stored"
	"deepstream-fast/auth/webhook"
	"deepstream-fast/config"
)

// authentication is everything that judges logins in a running server.
type authentication struct {
	// Set by newAuthentication, then constant.
	door     *auth.Swappable
	meter    *auth.Meter
	hashing  *auth.Pool
	webhooks *auth.Pool
	users    *userRecords // nil: no storage
	log      *slog.Logger

	life context.Context // of requests to others
	end  context.CancelFunc

	mu      sync.Mutex // guards current
	current *auth.Chain
}

// newAuthentication builds what cfg asks for.
func newAuthentication(cfg *config.Config, users *userRecords, log *slog.Logger) (*authentication, error) {
	a := &authentication{
		meter:    auth.NewMeter(),
		hashing:  auth.NewPool(auth.PoolOptions{LowPriority: true}),
		webhooks: auth.NewPool(auth.PoolOptions{Workers: webhook.Concurrency}),
		users:    users, log: log,
	}
	a.life, a.end = context.WithCancel(context.Background())
	chain, err := a.chain(cfg)
	if err != nil {
		return nil, err
	}
	a.current, a.door = chain, auth.NewSwappable(chain)
	return a, nil
}

// prepare builds the handlers of cfg, and returns what replaces the old ones by them. Logins under way are
// judged by the old ones, sessions are not touched.
func (a *authentication) prepare(cfg *config.Config) (apply func(), err error) {
	chain, err := a.chain(cfg)
	if err != nil {
		return nil, err
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.door.Use(chain)
		if err := a.current.Close(); err != nil {
			a.log.Warn("the handlers of before: "+err.Error(), eventKey, "AUTH_ERROR")
		}
		a.current = chain
		a.makeRoom(cfg)
	}, nil
}

// chain builds the handlers of cfg in their order.
func (a *authentication) chain(cfg *config.Config) (*auth.Chain, error) {
	var links []auth.Link
	for i := range cfg.Auth {
		entry := &cfg.Auth[i]
		handler, err := a.handler(entry, len(cfg.Auth) == 1)
		if err != nil {
			return nil, fmt.Errorf("server: auth[%d], type %q: %w", i, entry.Type, err)
		}
		links = append(links, auth.Link{Type: entry.Type, Auth: handler})
	}
	return auth.NewChain(a.meter, links...), nil
}

// handler builds one handler, which is alone or not: spec/auth.md §2 has the defaults that depend on it.
func (a *authentication) handler(c *config.Auth, alone bool) (auth.Authenticator, error) {
	report := func(set *bool) bool {
		if set == nil {
			return alone
		}
		return *set
	}
	switch c.Type {
	case "none":
		return auth.Open{AnonymousID: c.None.AnonymousID}, nil
	case "file":
		return a.file(&c.File, report(c.File.ReportInvalidParameters))
	case "http":
		return a.webhook(&c.HTTP, report(c.HTTP.ReportInvalidParameters))
	case "storage":
		return a.stored(&c.Storage, report(c.Storage.ReportInvalidParameters))
	case "jwt":
		return a.jwt(&c.JWT, report(c.JWT.ReportInvalidParameters))
	}
	return nil, fmt.Errorf("unknown type")
}

func (a *authentication) file(c *config.FileAuth, report bool) (auth.Authenticator, error) {
	table, mistakes := file.ParseTable(c.Users.Value)
	for _, m := range mistakes {
		if !m.Harmless {
			return nil, fmt.Errorf("user %q: %s", m.User, m.Message)
		}
	}
	return file.New(file.Options{Table: table, Scheme: c.Scheme(), Report: report, Pool: a.hashing})
}

func (a *authentication) webhook(c *config.HTTPAuth, report bool) (auth.Authenticator, error) {
	endpoint, err := url.Parse(c.EndpointURL)
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Options{
		URL: endpoint, Permitted: c.PermittedStatusCodes, Retry: c.RetryStatusCodes, Attempts: c.RetryAttempts,
		Interval: c.RetryInterval.Std(), Timeout: c.RequestTimeout.Std(), Promote: c.PromoteToHeader,
		Report: report, Pool: a.webhooks, Log: a.log, Life: a.life,
	})
}

func (a *authentication) stored(c *config.StorageAuth, report bool) (auth.Authenticator, error) {
	if a.users == nil {
		return nil, fmt.Errorf("there is no storage to keep users in")
	}
	return stored.New(stored.Options{
		Users: a.users, Table: c.Table, Create: c.CreateUser, Scheme: c.Scheme(), Report: report, Pool: a.hashing, Log: a.log,
	})
}

func (a *authentication) jwt(c *config.JWTAuth, report bool) (auth.Authenticator, error) {
	o := jwt.Options{
		Algorithms: c.Algorithms, Secret: []byte(c.Secret), PublicKey: c.PublicKey,
		Refresh: c.RefreshInterval.Std(), Cooldown: c.RefreshCooldown.Std(), Timeout: c.RequestTimeout.Std(),
		Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Leeway.Std(), AllowEndless: !c.RequireExpiry,
		Member: c.Token, Header: c.Header, Cookie: c.Cookie,
		ID: c.IDClaim, ClientData: c.ClientDataClaim, ServerData: c.ServerDataClaim,
		Report: report, Pool: a.hashing, Log: a.log,
	}
	var err error
	if c.JWKS.Value != nil {
		if o.KeySet, err = json.Marshal(c.JWKS.Value); err != nil {
			return nil, err
		}
	}
	if c.JWKSURL != "" {
		if o.KeySetURL, err = url.Parse(c.JWKSURL); err != nil {
			return nil, err
		}
	}
	return jwt.New(o)
}

// makeRoom lets the workers that compute run beside the loops: without a P for each of them, a loop that
// has something to do would wait until one of theirs is taken away, which is after 10 ms. See
// docs/adr/0010-passwords-beside-the-loops.md.
func (a *authentication) makeRoom(cfg *config.Config) {
	if envSet("GOMAXPROCS") || !hashes(cfg) || roomMade.Swap(true) {
		return
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + a.hashing.Workers())
}

// hashes reports whether a login can take computing.
func hashes(cfg *config.Config) bool {
	for i := range cfg.Auth {
		if t := cfg.Auth[i].Type; t == "file" || t == "storage" || t == "jwt" {
			return true
		}
	}
	return false
}

// stats returns the current numbers.
func (a *authentication) stats() auth.Stats {
	s := a.door.Stats(a.meter)
	s.Hashing, s.Webhooks = a.hashing.Stats(), a.webhooks.Stats()
	return s
}

// close ends everything, when nobody can log in any more.
func (a *authentication) close() error {
	a.end()
	a.mu.Lock()
	err := a.current.Close()
	a.mu.Unlock()
	a.webhooks.Close()
	a.hashing.Close()
	return err
}

// authPart is how handlers, users tables and keys included, are reloaded.
func (s *Server) authPart() part {
	return part{
		name: "authentication", keys: []string{"auth"}, prepare: s.auth.prepare,
		watched: func(c *config.Config) bool {
			return slices.ContainsFunc(c.Auth, func(a config.Auth) bool { return a.Type == "file" && a.File.Watch })
		},
	}
}

// AuthStats returns what became of logins so far. Safe for concurrent use.
func (s *Server) AuthStats() auth.Stats { return s.auth.stats() }
