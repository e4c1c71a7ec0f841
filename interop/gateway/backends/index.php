<?php
// PHP makes X_USER_ID of X.User.ID as well, where the server in front leaves it in.
header('Content-Type: application/json');
$told = array_filter($_SERVER, fn ($name) => preg_match('/^(HTTP|REMOTE|AUTH|CONTENT)_/', $name), ARRAY_FILTER_USE_KEY);
echo json_encode(['seen' => $_SERVER['REQUEST_METHOD'] . ' ' . $_SERVER['REQUEST_URI'], 'environ' => $told], JSON_INVALID_UTF8_SUBSTITUTE);
