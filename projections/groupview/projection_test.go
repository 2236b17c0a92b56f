package groupview_test

import (
	"testing"

	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/projectiontest"
)

func TestProjection(t *testing.T) {
	projectiontest.Run(t, groupview.New())
}
