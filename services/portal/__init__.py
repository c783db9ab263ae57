"""portal: secure links, and what a client sees and does behind them."""
