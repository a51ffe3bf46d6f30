package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
)

// Answer is what the API server said, or why it said nothing.
type Answer struct {
	// Code is the HTTP status, 0 without an answer.
	Code int
	// Reason and Message are those of the Status, where the answer was one.
	Reason, Message string
	// Body of an accepted write; reads are not kept.
	Body []byte
	// Err is set when there was no answer.
	Err error
}

// Refusal says who refused a request.
type Refusal string

// The refusals that are told apart. Server is a flag of the API server's; Other is any
// further admission plugin, policy or webhook.
const (
	NotRefused  Refusal = ""
	RBAC        Refusal = "RBAC"
	PodSecurity Refusal = "Pod Security"
	Quota       Refusal = "a ResourceQuota"
	Limits      Refusal = "a LimitRange"
	Guard       Refusal = "a guard policy"
	Server      Refusal = "the API server's configuration"
	Other       Refusal = "an admission plugin that is not Watertight's"
)

// policyDenial is how the API server reports a refusal by a ValidatingAdmissionPolicy.
// Its status code is whatever the policy chose (422 unless it says otherwise).
var policyDenial = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request`)

// rbacDenial are the two ways in which the authorizer and the escalation check speak.
var rbacDenial = regexp.MustCompile(`User "[^"]*" cannot |is attempting to grant RBAC permissions not currently held`)

// Accepted tells whether the server did (or, on a dry-run, would do) what was asked.
func (a Answer) Accepted() bool { return a.Err == nil && a.Code >= 200 && a.Code < 300 }

// Refused says who refused. Not found, invalid, conflict, unauthenticated, throttled,
// server errors and time-outs are no refusals: they say nothing about the boundary.
func (a Answer) Refused() Refusal {
	if a.Err != nil || a.Code < 400 || a.Code >= 500 {
		return NotRefused
	}
	if m := policyDenial.FindStringSubmatch(a.Message); m != nil {
		if strings.HasPrefix(m[1], "watertight") {
			return Guard
		}
		return Other
	}
	if a.Code == http.StatusUnprocessableEntity && strings.Contains(a.Message, "disallowed by cluster policy") {
		return Server // --allow-privileged=false speaks as a validation
	}
	if a.Code != http.StatusForbidden {
		return NotRefused
	}
	switch {
	case rbacDenial.MatchString(a.Message):
		return RBAC
	case strings.Contains(a.Message, "violates PodSecurity"):
		return PodSecurity
	case strings.Contains(a.Message, "exceeded quota"), strings.Contains(a.Message, "failed quota"):
		return Quota
	case strings.Contains(a.Message, "usage per "), strings.Contains(a.Message, "limit to request ratio per"):
		return Limits
	default:
		return Other
	}
}

// TimedOut tells whether there was no answer in time.
func (a Answer) TimedOut() bool {
	var netErr net.Error
	return errors.Is(a.Err, context.DeadlineExceeded) || errors.As(a.Err, &netErr) && netErr.Timeout()
}

// String says the answer in words.
func (a Answer) String() string {
	switch {
	case a.TimedOut():
		return "no answer in time"
	case a.Err != nil:
		return fmt.Sprintf("no answer: %v", a.Err)
	case a.Accepted():
		return fmt.Sprintf("%d accepted", a.Code)
	case a.Message == "":
		return fmt.Sprintf("%d %s", a.Code, http.StatusText(a.Code))
	default:
		return fmt.Sprintf("%d %s: %s", a.Code, a.Reason, a.Message)
	}
}
